// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;

/** A lock on a range of bytes of a namespace. */
final class NvmeFileLock extends FileLock {
  private final FileLocks locks;
  private volatile boolean isReleased;

  NvmeFileLock(FileLocks locks, FileChannel channel, long position, long size, boolean shared) {
    super(channel, position, size, shared);
    this.locks = locks;
  }

  NvmeFileLock(
      FileLocks locks, AsynchronousFileChannel channel, long position, long size, boolean shared) {
    super(channel, position, size, shared);
    this.locks = locks;
  }

  @Override
  public boolean isValid() {
    return !isReleased && acquiredBy().isOpen();
  }

  @Override
  public void release() throws ClosedChannelException {
    if (!acquiredBy().isOpen()) {
      throw new ClosedChannelException();
    }
    isReleased = true;
    locks.remove(this);
  }
}
