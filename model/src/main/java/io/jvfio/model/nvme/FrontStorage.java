// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** A storage that stands in front of a disk, and passes on all that it does not do itself. */
abstract class FrontStorage implements Storage {
  final Storage disk;

  FrontStorage(Storage disk) {
    this.disk = disk;
  }

  @Override
  public long byteSize() {
    return disk.byteSize();
  }

  @Override
  public long allocatedBytes() {
    return disk.allocatedBytes();
  }

  @Override
  public void connect() {
    disk.connect();
  }

  @Override
  public long longestClear() {
    return disk.longestClear();
  }

  @Override
  public void start() {
    disk.start();
  }

  @Override
  public boolean poll() {
    return disk.poll();
  }

  @Override
  public boolean hasLostWrites() {
    return disk.hasLostWrites();
  }

  @Override
  public boolean isIdle() {
    return disk.isIdle();
  }

  @Override
  public boolean isQuiet() {
    return disk.isQuiet();
  }

  @Override
  public boolean cancel(StorageRequest request) {
    return disk.cancel(request);
  }

  @Override
  public void readNow(long offset, MemorySegment target, long length) throws IOException {
    disk.readNow(offset, target, length);
  }

  @Override
  public void writeNow(long offset, MemorySegment source, long length) throws IOException {
    disk.writeNow(offset, source, length);
  }
}
