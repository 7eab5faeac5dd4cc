// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.lang.foreign.MemorySegment;

/**
 * A disk that keeps nothing, for measuring what is around it: a write is forgotten, and a read
 * leaves memory as it was.
 *
 * @param byteSize what it claims to have
 */
record NullStorage(long byteSize) implements Storage {
  @Override
  public long allocatedBytes() {
    return 0;
  }

  @Override
  public String describe() {
    return "nothing at all";
  }

  @Override
  public void submit(StorageRequest request) {
    var buffer = request.buffer();
    if (buffer != null && request.operation() == StorageRequest.Operation.READ) {
      buffer.asSlice(0, request.byteSize()).fill((byte) 0);
    }
    request.end(StorageResult.DONE);
  }

  @Override
  public void readNow(long offset, MemorySegment target, long length) {
    target.asSlice(0, length).fill((byte) 0);
  }

  @Override
  public void writeNow(long offset, MemorySegment source, long length) {
    // It keeps nothing.
  }

  @Override
  public void close() {
    // There is nothing to give back.
  }
}
