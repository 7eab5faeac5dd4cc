// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.IoUringParams;
import io.jvfio.linux.uapi.IoUringSqe;
import io.jvfio.linux.uapi.Uring;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A kernel whose file operations fail now and then, end short, or take their time: those of {@code
 * io_uring} by changing what stands in the submission ring before it is handed over.
 *
 * <p>What ends short ends at a multiple of 4096 bytes, as it does with a real file system: an error
 * behind that leaves whole blocks.
 */
final class FaultyKernel extends ForwardingKernel {
  /** {@code IORING_OP_NOP}, which ends with any result if asked to; since Linux 6.11. */
  private static final byte NOP = 0;

  private static final int NOP_INJECT_RESULT = 1;

  /** {@code IOSQE_ASYNC}: the operation is done by a thread of the kernel's. */
  private static final byte ASYNC = 1 << 4;

  private static final int PIECE = 4096;

  /** Bytes that a write lacks that ends within a block, and for how long. */
  private static final int SCRAP = PIECE + 200;

  private static final long TORN_NANOS = 20_000_000;
  private static final int VECTOR = 2 * Long.BYTES;

  private static final Errno[] OF_READS = {Errno.EIO};
  private static final Errno[] OF_WRITES = {Errno.EIO, Errno.ENOSPC, Errno.EDQUOT};
  private static final Errno[] RETRIED = {Errno.EINTR, Errno.EAGAIN, Errno.ECANCELED};

  private final int oneIn;
  private final SplittableRandom random;
  private final Map<Integer, Ring> rings = new ConcurrentHashMap<>();
  private final Map<Integer, MemorySegment> params = new ConcurrentHashMap<>();
  private final Arena arena = Arena.ofAuto();
  private final AtomicInteger faults = new AtomicInteger();
  private final boolean canInject = isAtLeast(6, 11);
  private volatile boolean isSyncBroken;

  private volatile boolean tears;

  /** The rings as they are mapped. */
  private static final class Ring {
    @Nullable MemorySegment rings;
    @Nullable MemorySegment submissions;
  }

  /**
   * Begins without faults being rare or frequent for one kind of call.
   *
   * @param oneIn how many calls there are for each fault
   */
  FaultyKernel(Kernel kernel, int oneIn, long seed) {
    super(kernel);
    this.oneIn = oneIn;
    random = new SplittableRandom(seed);
  }

  private static boolean isAtLeast(int major, int minor) {
    var parts = System.getProperty("os.version").split("\\D+", -1);
    int first = Integer.parseInt(parts[0]);
    return first > major || (first == major && Integer.parseInt(parts[1]) >= minor);
  }

  /** How many there were. */
  int faults() {
    return faults.get();
  }

  /** From now on nothing can be made persistent. */
  void breakSync() {
    isSyncBroken = true;
  }

  /**
   * From now on a write by a thread ends within a block, and says so a little later. No file system
   * of Linux does that: it is for those who look for torn blocks, to see that they find them.
   */
  void tear() {
    tears = true;
  }

  private synchronized int draw(int bound) {
    return random.nextInt(bound);
  }

  private boolean isDue() {
    boolean isDue = oneIn > 0 && draw(oneIn) == 0;
    if (isDue) {
      faults.incrementAndGet();
    }
    return isDue;
  }

  private int anyOf(Errno... errnos) {
    return errnos[draw(errnos.length)].result();
  }

  private void takeTime() {
    if (oneIn > 0 && draw(20 * oneIn) == 0) {
      sleep(draw(500) * 1_000_000L);
    }
  }

  private static void sleep(long wait) {
    long until = System.nanoTime() + wait;
    for (long left = wait; left > 0; left = until - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }

  @Override
  public long preadv(int fd, MemorySegment vectors, int count, long offset) {
    takeTime();
    if (!isDue()) {
      return super.preadv(fd, vectors, count, offset);
    }
    return switch (draw(3)) {
      case 0 -> anyOf(OF_READS);
      case 1 -> anyOf(RETRIED);
      default -> super.preadv(fd, shortened(vectors, cut(first(vectors))), 1, offset);
    };
  }

  @Override
  public long pwritev(int fd, MemorySegment vectors, int count, long offset) {
    takeTime();
    if (tears && first(vectors) > 2 * PIECE) {
      long done = super.pwritev(fd, shortened(vectors, first(vectors) - SCRAP), 1, offset);
      sleep(TORN_NANOS);
      return done;
    }
    if (!isDue()) {
      return super.pwritev(fd, vectors, count, offset);
    }
    return switch (draw(3)) {
      case 0 -> anyOf(OF_WRITES);
      case 1 -> anyOf(RETRIED);
      default -> super.pwritev(fd, vectors, wholePieces(vectors, count), offset);
    };
  }

  private static long first(MemorySegment vectors) {
    return vectors.get(ValueLayout.JAVA_LONG, Long.BYTES);
  }

  /** So many bytes of the first vector, or all of it if it has no more. */
  private static MemorySegment shortened(MemorySegment vectors, long byteSize) {
    var copy = Arena.ofAuto().allocate(VECTOR, Long.BYTES);
    copy.copyFrom(vectors.asSlice(0, VECTOR));
    copy.set(ValueLayout.JAVA_LONG, Long.BYTES, Math.min(byteSize, first(vectors)));
    return copy;
  }

  /** The first pieces of so many bytes, if there are several. */
  private long cut(long length) {
    int pieces = (int) (length / PIECE);
    return pieces < 2 ? length : (long) (1 + draw(pieces - 1)) * PIECE;
  }

  /** How many of the first vectors have whole pieces in all; all of them if no fewer have. */
  private static int wholePieces(MemorySegment vectors, int count) {
    long length = 0;
    for (int i = 0; i < count - 1; i++) {
      length += vectors.get(ValueLayout.JAVA_LONG, (long) i * VECTOR + Long.BYTES);
      if (length % PIECE == 0) {
        return i + 1;
      }
    }
    return count;
  }

  @Override
  public int synchronizeData(int fd) {
    takeTime();
    return isSyncBroken ? Errno.EIO.result() : super.synchronizeData(fd);
  }

  @Override
  public int allocate(int fd, int mode, long offset, long byteSize) {
    return isDue() ? anyOf(OF_WRITES) : super.allocate(fd, mode, offset, byteSize);
  }

  @Override
  public int ioUringSetup(int entries, MemorySegment given) {
    int fd = super.ioUringSetup(entries, given);
    if (fd >= 0) {
      params.put(fd, arena.allocate(given.byteSize(), Long.BYTES).copyFrom(given));
      rings.put(fd, new Ring());
    }
    return fd;
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    long address = super.mmap(byteSize, protection, flags, fd, offset);
    var ring = rings.get(fd);
    if (address > 0 && ring != null) {
      var memory = memory(address, byteSize, arena);
      if (offset == Uring.IORING_OFF_SQES) {
        ring.submissions = memory;
      } else {
        ring.rings = memory;
      }
    }
    return address;
  }

  @Override
  public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
    var ring = rings.get(fd);
    var known = params.get(fd);
    if (ring != null && known != null && ring.rings != null && ring.submissions != null) {
      int head = ring.rings.get(ValueLayout.JAVA_INT, IoUringParams.SQ_OFF_HEAD.get(known));
      int mask = IoUringParams.SQ_ENTRIES.get(known) - 1;
      for (int i = 0; i < toSubmit; i++) {
        change(ring.submissions.asSlice(((head + i) & mask) * IoUringSqe.BYTES, IoUringSqe.BYTES));
      }
    }
    return super.ioUringEnter(fd, toSubmit, minComplete, flags);
  }

  private void change(MemorySegment entry) {
    int operation = entry.get(ValueLayout.JAVA_BYTE, 0);
    if (operation == Uring.IORING_OP_FSYNC && isSyncBroken) {
      inject(entry, Errno.EIO.result());
    } else if (operation == Uring.IORING_OP_ASYNC_CANCEL || operation == NOP || !isDue()) {
      return;
    }
    boolean isRead = operation == Uring.IORING_OP_READ || operation == Uring.IORING_OP_READV;
    boolean isOneVector = operation == Uring.IORING_OP_READ || operation == Uring.IORING_OP_WRITE;
    switch (draw(4)) {
      case 0 -> IoUringSqe.FLAGS.set(entry, (byte) (entry.get(ValueLayout.JAVA_BYTE, 1) | ASYNC));
      case 1 -> inject(entry, anyOf(RETRIED));
      case 2 -> {
        if (operation != Uring.IORING_OP_FSYNC) {
          inject(entry, anyOf(isRead ? OF_READS : OF_WRITES));
        }
      }
      default -> {
        if (isOneVector) {
          IoUringSqe.LEN.set(entry, (int) cut(entry.get(ValueLayout.JAVA_INT, 24)));
        }
      }
    }
  }

  private void inject(MemorySegment entry, int result) {
    if (canInject) {
      IoUringSqe.OPCODE.set(entry, NOP);
      IoUringSqe.FLAGS.set(entry, (byte) 0);
      IoUringSqe.FD.set(entry, -1);
      IoUringSqe.OFF.set(entry, 0);
      IoUringSqe.ADDR.set(entry, 0);
      IoUringSqe.LEN.set(entry, result);
      IoUringSqe.RW_FLAGS.set(entry, NOP_INJECT_RESULT);
    }
  }

  @Override
  public String toString() {
    return "one fault in %d calls, of %s".formatted(oneIn, Arrays.toString(OF_WRITES));
  }
}
