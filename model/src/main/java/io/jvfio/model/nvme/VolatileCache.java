// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * A volatile write cache in front of a disk, for those who want to see what a loss of power does:
 * it remembers what every block held when it was last persisted.
 */
final class VolatileCache extends FrontStorage {
  /** The smallest logical block: what is persisted is always whole ones. */
  private static final int BLOCK = 512;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment block = arena.allocate(BLOCK, Long.BYTES);
  private final Map<Long, byte[]> persisted = new HashMap<>();
  private final StorageRequest.Owner observer = this::ended;

  VolatileCache(Storage disk) {
    super(disk);
  }

  private void remember(long offset, long length) throws IOException {
    for (long at = offset; at < offset + length; at += BLOCK) {
      if (!persisted.containsKey(at)) {
        disk.readNow(at, block, BLOCK);
        byte[] bytes = new byte[BLOCK];
        MemorySegment.copy(block, 0, MemorySegment.ofArray(bytes), 0, BLOCK);
        persisted.put(at, bytes);
      }
    }
  }

  /** Everything is as it was when it was last persisted. */
  void losePower() {
    try {
      for (var entry : persisted.entrySet()) {
        block.copyFrom(MemorySegment.ofArray(entry.getValue()));
        disk.writeNow(entry.getKey(), block, BLOCK);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    persisted.clear();
  }

  @Override
  public String describe() {
    return disk.describe() + " behind a volatile cache";
  }

  @Override
  public void submit(StorageRequest request) {
    if (request.operation().isChange) {
      try {
        remember(request.offset(), request.byteSize());
      } catch (IOException _) {
        request.end(StorageResult.FAILED);
        return;
      } catch (RuntimeException | Error e) {
        request.end(StorageResult.FAILED);
        throw e;
      }
    }
    request.observe(observer);
    disk.submit(request);
  }

  private void ended(StorageRequest request) {
    boolean isPersistent =
        request.operation() == StorageRequest.Operation.SYNC
            || (request.operation().isChange && request.isDurable());
    if (!isPersistent || request.result() != StorageResult.DONE) {
      return;
    }
    if (request.byteSize() == disk.byteSize()) {
      persisted.clear();
      return;
    }
    for (long at = request.offset(); at < request.offset() + request.byteSize(); at += BLOCK) {
      persisted.remove(at);
    }
  }

  @Override
  public void close() {
    try {
      disk.close();
    } finally {
      arena.close();
    }
  }
}
