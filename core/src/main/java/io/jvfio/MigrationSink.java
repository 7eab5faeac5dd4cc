// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;

/**
 * The stream that the data of a migrated device are written to. Safe for use by several threads.
 */
public final class MigrationSink implements MigrationStream, WritableByteChannel {
  private static final int PIECE = 64 << 10;

  private final Kernel kernel;
  private final OpenFile file;
  private final MemorySegment piece = Arena.ofAuto().allocate(PIECE);

  MigrationSink(Kernel kernel, OpenFile file) {
    this.kernel = kernel;
    this.file = file;
  }

  /**
   * Writes all that {@code source} has left.
   *
   * @return how many bytes that were
   * @throws IOException caused by a {@link VfioException}, if the device has left the state or its
   *     driver takes no such data; some of it may have been written
   * @throws ClosedChannelException if closed
   */
  @Override
  public synchronized int write(ByteBuffer source) throws IOException {
    if (!isOpen()) {
      throw new ClosedChannelException();
    }
    int total = source.remaining();
    while (source.hasRemaining()) {
      int length = Math.min(PIECE, source.remaining());
      piece.copyFrom(MemorySegment.ofBuffer(source.slice(source.position(), length)));
      long count = kernel.write(file.fd(), piece.asSlice(0, length));
      if (count <= 0) {
        throw failure(count);
      }
      source.position(source.position() + (int) count);
    }
    return total;
  }

  private IOException failure(long result) {
    var errno = result == 0 ? Errno.EIO : Errno.ofResult(result);
    var failure = file.answers().migrationData(errno).failure("write", file.name(), errno);
    return new IOException(failure.getMessage(), failure);
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
