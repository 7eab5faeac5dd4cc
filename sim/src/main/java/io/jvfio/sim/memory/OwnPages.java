// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongSupplier;

/**
 * The simulated kernel's view of the JVM's own pages: which are locked, and where it says that they
 * are in physical memory.
 */
final class OwnPages {
  /** What is together in physical memory. */
  static final long BLOCK = 2 << 20;

  /** The end of each locked range by its start; they do not touch. */
  private final TreeMap<Long, Long> locked = new TreeMap<>();

  private final Map<Long, Long> physicalBlocks = new HashMap<>();
  private final Map<Long, Long> virtualBlocks = new HashMap<>();

  /** How many bytes of a range are not locked. */
  long missing(long start, long end) {
    long missing = end - start;
    for (var entry : locked.headMap(end).entrySet()) {
      missing -= Math.max(0, Math.min(end, entry.getValue()) - Math.max(start, entry.getKey()));
    }
    return missing;
  }

  /** Notes a range as locked. */
  void lock(long start, long end) {
    long from = start;
    long to = end;
    for (var entry = locked.floorEntry(to);
        entry != null && entry.getValue() >= from;
        entry = locked.floorEntry(to)) {
      locked.remove(entry.getKey());
      from = Math.min(from, entry.getKey());
      to = Math.max(to, entry.getValue());
    }
    locked.put(from, to);
  }

  /** Notes a range as unlocked; returns how many bytes of it were locked. */
  long unlock(long start, long end) {
    long unlocked = (end - start) - missing(start, end);
    for (var entry = locked.lowerEntry(end);
        entry != null && entry.getValue() > start;
        entry = locked.lowerEntry(end)) {
      locked.remove(entry.getKey());
      if (entry.getValue() > end) {
        locked.put(end, entry.getValue());
      }
      if (entry.getKey() < start) {
        locked.put(entry.getKey(), start);
      }
    }
    return unlocked;
  }

  /** Forgets locked ranges that are no longer all there; returns how many bytes they had. */
  long dropLost(OwnMemory own) {
    long lost = 0;
    for (var entries = locked.entrySet().iterator(); entries.hasNext(); ) {
      var entry = entries.next();
      long byteSize = entry.getValue() - entry.getKey();
      if (own.reach(entry.getKey(), byteSize, false) < byteSize) {
        lost += byteSize;
        entries.remove();
      }
    }
    return lost;
  }

  /** The physical address of {@code address}; the same at each call. */
  long physicalAddress(long address, LongSupplier newBlock) {
    long block = address / BLOCK;
    var start =
        physicalBlocks.computeIfAbsent(
            block,
            _ -> {
              long physical = newBlock.getAsLong();
              virtualBlocks.put(physical / BLOCK, block);
              return physical;
            });
    return start + address % BLOCK;
  }

  /** The address whose physical address this is, or -1. */
  long virtualAddress(long physicalAddress) {
    var block = virtualBlocks.get(physicalAddress / BLOCK);
    return block == null ? -1 : block * BLOCK + physicalAddress % BLOCK;
  }
}
