// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import de.waldheinz.fs.BlockDevice;
import de.waldheinz.fs.ReadOnlyException;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** A file channel, whatever is behind it, as what a file system of fat32-lib lies on. */
record ChannelDisk(FileChannel channel, boolean isReadOnly) implements BlockDevice {
  private static final int SECTOR_BYTES = 512;

  @Override
  public long getSize() throws IOException {
    return channel.size();
  }

  @Override
  public int getSectorSize() {
    return SECTOR_BYTES;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    long at = offset;
    while (target.hasRemaining()) {
      int count = channel.read(target, at);
      if (count < 0) {
        throw new EOFException("the disk ends at %d, before %d".formatted(channel.size(), at));
      }
      at += count;
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    if (isReadOnly) {
      throw new ReadOnlyException();
    }
    long at = offset;
    while (source.hasRemaining()) {
      at += channel.write(source, at);
    }
  }

  @Override
  public void flush() throws IOException {
    channel.force(false);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  @Override
  public boolean isClosed() {
    return !channel.isOpen();
  }
}
