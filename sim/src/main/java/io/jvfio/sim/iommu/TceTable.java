// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.sim.memory.ProcessMemory;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongConsumer;

/**
 * The table of a DMA window: for each IOMMU page an address and what a device may do there. An
 * address names a page of the process for as long as it is pinned, which its mapper sees to.
 */
final class TceTable {
  private static final int CHUNK_SHIFT = 9;
  private static final int READ = 1;
  private static final int WRITE = 2;
  private static final int PERMISSIONS = READ | WRITE;

  private final long start;
  private final int pageShift;
  private final long size;
  private final long allocatedBytes;
  private final boolean writeImpliesRead;
  private final Map<Long, long[]> chunks = new HashMap<>();
  private long mappedPages;

  /**
   * An empty table.
   *
   * @param allocatedBytes what it counts against locked memory
   * @param writeImpliesRead whether a device that may write a page may read it as well
   */
  TceTable(long start, int pageShift, long size, long allocatedBytes, boolean writeImpliesRead) {
    this.start = start;
    this.pageShift = pageShift;
    this.size = size;
    this.allocatedBytes = allocatedBytes;
    this.writeImpliesRead = writeImpliesRead;
  }

  long start() {
    return start;
  }

  int pageShift() {
    return pageShift;
  }

  long pageSize() {
    return 1L << pageShift;
  }

  long size() {
    return size;
  }

  long allocatedBytes() {
    return allocatedBytes;
  }

  long mappedBytes() {
    return mappedPages << pageShift;
  }

  /** Whether its window has {@code iova}. */
  boolean contains(long iova) {
    return iova >= start && iova - start < size;
  }

  /** The entry of {@code iova}; 0 for none. */
  private long entry(long iova) {
    long index = (iova - start) >>> pageShift;
    var chunk = chunks.get(index >>> CHUNK_SHIFT);
    return chunk == null ? 0 : chunk[(int) index & (1 << CHUNK_SHIFT) - 1];
  }

  /**
   * Replaces the entry of {@code iova}.
   *
   * @return the address that it had, or -1
   */
  long map(long iova, long address, boolean read, boolean write) {
    boolean reads = read || (write && writeImpliesRead);
    return exchange(iova, address | (reads ? READ : 0) | (write ? WRITE : 0));
  }

  /**
   * Clears the entry of {@code iova}.
   *
   * @return the address that it had, or -1
   */
  long clear(long iova) {
    return exchange(iova, 0);
  }

  private long exchange(long iova, long entry) {
    long index = (iova - start) >>> pageShift;
    var chunk = chunks.get(index >>> CHUNK_SHIFT);
    if (chunk == null) {
      if (entry == 0) {
        return -1;
      }
      chunk = new long[1 << CHUNK_SHIFT];
      chunks.put(index >>> CHUNK_SHIFT, chunk);
    }
    int at = (int) index & (1 << CHUNK_SHIFT) - 1;
    long old = chunk[at];
    chunk[at] = entry;
    mappedPages += (entry == 0 ? 0 : 1) - (old == 0 ? 0 : 1);
    return old == 0 ? -1 : old & ~PERMISSIONS;
  }

  /** Clears every entry, and tells the address that it had. */
  void clearAll(LongConsumer cleared) {
    for (var chunk : chunks.values()) {
      for (int i = 0; i < chunk.length; i++) {
        if (chunk[i] != 0) {
          long address = chunk[i] & ~PERMISSIONS;
          chunk[i] = 0;
          mappedPages--;
          cleared.accept(address);
        }
      }
    }
  }

  /** The memory at {@code iova}, as far as it is one piece and permitted. */
  MemorySegment reach(ProcessMemory memory, long iova, long byteSize, boolean write)
      throws DmaBlocked {
    long entry = permitted(iova, write);
    long offset = iova & pageSize() - 1;
    long address = (entry & ~PERMISSIONS) + offset;
    long length = pageSize() - offset;
    while (length < byteSize && contains(iova + length)) {
      long next = entry(iova + length);
      if ((next & (write ? WRITE : READ)) == 0 || (next & ~PERMISSIONS) != address + length) {
        break;
      }
      length += pageSize();
    }
    return memory.pinned(address, Math.min(length, byteSize));
  }

  private long permitted(long iova, boolean write) throws DmaBlocked {
    long entry = entry(iova);
    if (entry == 0) {
      throw DmaBlocked.notMapped(iova);
    }
    if ((entry & (write ? WRITE : READ)) == 0) {
      throw DmaBlocked.notPermitted(iova, write);
    }
    return entry;
  }
}
