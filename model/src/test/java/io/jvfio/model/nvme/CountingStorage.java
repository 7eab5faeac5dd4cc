// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.lang.foreign.MemorySegment;

/** A disk in memory that carries out at once what is submitted, and counts it. */
final class CountingStorage implements Storage {
  final SparseMemory disk;
  private int requests;
  private long bytes;

  CountingStorage(long byteSize) {
    disk = new SparseMemory(byteSize);
  }

  /** How many requests there were since this was last asked. */
  int takeRequests() {
    int taken = requests;
    requests = 0;
    return taken;
  }

  /** How many bytes were read and written since this was last asked. */
  long takeBytes() {
    long taken = bytes;
    bytes = 0;
    return taken;
  }

  @Override
  public void submit(StorageRequest request) {
    requests++;
    bytes +=
        switch (request.operation()) {
          case READ, WRITE -> request.byteSize();
          case CLEAR, ZERO, SYNC -> 0;
        };
    disk.submit(request);
  }

  @Override
  public long longestClear() {
    return disk.longestClear();
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
  public String describe() {
    return "a test";
  }

  @Override
  public void readNow(long offset, MemorySegment target, long length) {
    disk.readNow(offset, target, length);
  }

  @Override
  public void writeNow(long offset, MemorySegment source, long length) {
    disk.writeNow(offset, source, length);
  }

  @Override
  public void close() {
    disk.close();
  }
}
