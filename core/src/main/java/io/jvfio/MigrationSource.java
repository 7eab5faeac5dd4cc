// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioPrecopyInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;

/**
 * The stream that the data of a device to be migrated are read from. Safe for use by several
 * threads.
 */
public final class MigrationSource implements MigrationStream, ReadableByteChannel {
  private static final int PIECE = 64 << 10;

  private final Kernel kernel;
  private final OpenFile file;
  private final MemorySegment piece = Arena.ofAuto().allocate(PIECE);

  MigrationSource(Kernel kernel, OpenFile file) {
    this.kernel = kernel;
    this.file = file;
  }

  /**
   * Reads what there is.
   *
   * @return how many bytes; 0 when a device that runs has no more for now; -1 at the end, which
   *     only a stopped one has
   * @throws IOException caused by a {@link VfioException}, if the device has left the state or its
   *     driver fails
   * @throws ClosedChannelException if closed
   */
  @Override
  public synchronized int read(ByteBuffer target) throws IOException {
    if (!isOpen()) {
      throw new ClosedChannelException();
    }
    if (!target.hasRemaining()) {
      return 0;
    }
    long count = kernel.read(file.fd(), piece.asSlice(0, Math.min(PIECE, target.remaining())));
    if (count == Errno.ENOMSG.result()) {
      return 0;
    }
    if (count < 0) {
      var failure = failure("read", Errno.ofResult(count));
      throw new IOException(failure.getMessage(), failure);
    }
    if (count == 0) {
      return -1;
    }
    target.put(piece.asSlice(0, count).asByteBuffer());
    return (int) count;
  }

  /**
   * Tells how far the copy of a running device is.
   *
   * @throws VfioException if the device is not in a state of {@link MigrationState#PRE_COPY}
   */
  public PrecopyInfo precopyInfo() {
    try (var arena = Arena.ofConfined()) {
      var info = VfioPrecopyInfo.STRUCT.allocate(arena);
      int result = file.ioctl(Vfio.VFIO_MIG_GET_PRECOPY_INFO, info);
      if (result < 0) {
        throw failure(Vfio.VFIO_MIG_GET_PRECOPY_INFO.name(), Errno.ofResult(result));
      }
      return new PrecopyInfo(
          VfioPrecopyInfo.INITIAL_BYTES.get(info), VfioPrecopyInfo.DIRTY_BYTES.get(info));
    }
  }

  private VfioException failure(String operation, Errno errno) {
    return file.answers().migrationData(errno).failure(operation, file.name(), errno);
  }

  @Override
  public boolean isOpen() {
    return !file.isClosed();
  }

  @Override
  public void close() {
    file.close();
  }

  @Override
  public String toString() {
    return file.name();
  }
}
