package io.jvfio.model.nvme;

import io.jvfio.linux.GuardedMemory;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileSystemException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;

/**
 * A disk in a mapped file. What was never written is a hole, where the file system has those.
 *
 * <p>The file is mapped, since a {@code FileChannel} is closed when the thread in it is
 * interrupted, and the thread is a user's who knows nothing of the file. Java cannot punch holes:
 * what is cleared is overwritten, but only where there is something else than zeroes. A lock keeps
 * others from serving the same file; it ends with the process, however that ends.
 */
final class FileStorage implements Storage {
  private static final Set<OpenOption> OPTIONS =
      Set.of(
          StandardOpenOption.CREATE,
          StandardOpenOption.READ,
          StandardOpenOption.WRITE,
          StandardOpenOption.SPARSE);

  private static final int STEP = 64 << 10;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment zeroes = arena.allocate(STEP, Long.BYTES).asReadOnly();
  private final MemorySegment mapping;

  /** Open for the lock that it holds. */
  private final FileChannel channel;

  private FileStorage(Path path, long byteSize) throws IOException {
    FileChannel opened = null;
    try {
      opened = FileChannel.open(path, OPTIONS);
      lock(path, opened);
      if (opened.size() < byteSize) {
        opened.write(ByteBuffer.allocate(1), byteSize - 1);
      }
      mapping = opened.map(MapMode.READ_WRITE, 0, byteSize, arena);
      channel = opened;
    } catch (IOException e) {
      arena.close();
      if (opened != null) {
        opened.close();
      }
      throw e;
    }
  }

  /** Two controllers on one disk would destroy what a file system keeps there. */
  private static void lock(Path path, FileChannel channel) throws IOException {
    boolean isFree;
    try {
      isFree = channel.tryLock() != null;
    } catch (OverlappingFileLockException _) {
      isFree = false;
    } catch (IOException _) {
      isFree = true; // this file system has no locks
    }
    if (!isFree) {
      throw new FileSystemException(
          path.toString(), null, "it is the disk of another controller, or locked otherwise");
    }
  }

  /**
   * Opens a file, made if there is none and lengthened if it is shorter.
   *
   * @throws IOException if that cannot be done
   */
  static FileStorage open(Path path, long byteSize) throws IOException {
    return new FileStorage(path, byteSize);
  }

  @Override
  public long byteSize() {
    return mapping.byteSize();
  }

  /** Java does not tell which part of a file is a hole. */
  @Override
  public long allocatedBytes() {
    return mapping.byteSize();
  }

  @Override
  public void toMemory(long offset, long length, DmaPort dma, long iova)
      throws DmaFaultException, IOException {
    try {
      dma.write(iova, mapping, offset, length);
    } catch (InternalError e) {
      throw lost(e);
    }
  }

  @Override
  public void fromMemory(long offset, long length, DmaPort dma, long iova)
      throws DmaFaultException, IOException {
    try {
      dma.read(iova, mapping, offset, length);
    } catch (InternalError e) {
      throw lost(e);
    }
  }

  @Override
  public void read(long offset, MemorySegment target, long length) throws IOException {
    try {
      GuardedMemory.copy(mapping, offset, target, 0, length);
    } catch (InternalError e) {
      throw lost(e);
    }
  }

  @Override
  public void write(long offset, MemorySegment source, long length) throws IOException {
    try {
      GuardedMemory.copy(source, 0, mapping, offset, length);
    } catch (InternalError e) {
      throw lost(e);
    }
  }

  @Override
  public void clear(long offset, long length) throws IOException {
    try {
      for (long at = offset; at < offset + length; at += STEP) {
        long step = Math.min(STEP, offset + length - at);
        boolean isZero = MemorySegment.mismatch(mapping, at, at + step, zeroes, 0, step) < 0;
        GuardedMemory.poll();
        if (!isZero) {
          GuardedMemory.copy(zeroes, 0, mapping, at, step);
        }
      }
    } catch (InternalError e) {
      throw lost(e);
    }
  }

  @Override
  public void persist(long offset, long length) throws IOException {
    try {
      mapping.asSlice(offset, length).force();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** SIGBUS: the file was cut short, the file system is full, or the disk below has failed. */
  private static IOException lost(InternalError cause) {
    return new IOException("a page of the mapped file cannot be had", cause);
  }

  @Override
  public void close() {
    arena.close();
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
