// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.kernel.Refusal;
import io.jvfio.spi.Explanation;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Memory that was locked with the kernel, and how often it is used: what lies within memory that is
 * locked already shares it. The kernel refuses ranges that overlap in part (sPAPR version 2), or
 * would not count them (mlock).
 *
 * <p>Not safe for use by several threads at once.
 */
final class Registrations {
  private final long pageSize;
  private final Call lock;
  private final Call unlock;
  private final TreeMap<Long, Registration> byStart = new TreeMap<>();

  /** A call of the kernel. */
  @FunctionalInterface
  interface Call {
    void apply(long address, long byteSize) throws Refusal;
  }

  private static final class Registration {
    final long end;
    int uses;

    Registration(long end) {
      this.end = end;
    }
  }

  /**
   * An empty table.
   *
   * @param pageSize what the kernel locks in multiples of, in bytes
   */
  Registrations(long pageSize, Call lock, Call unlock) {
    this.pageSize = pageSize;
    this.lock = lock;
    this.unlock = unlock;
  }

  /** Locks the pages of a range, unless they are; either way they are used once more. */
  void acquire(long address, long byteSize) throws Refusal {
    long start = address & -pageSize;
    long end = roundUp(address + byteSize);
    var around = containing(start, end);
    if (around == null) {
      var neighbour = byStart.lowerEntry(end);
      if (neighbour != null && neighbour.getValue().end > start) {
        throw Refusal.notAsked(
            "register",
            new Explanation(
                "Memory from 0x%x to 0x%x is locked in one piece already, which this memory (0x%x to 0x%x) is only partly in; the kernel does not lock a page in two pieces."
                    .formatted(neighbour.getKey(), neighbour.getValue().end, start, end),
                "Register the whole area once with DmaSpace.register, before its parts are mapped."));
      }
      lock.apply(start, end - start);
      around = new Registration(end);
      byStart.put(start, around);
    }
    around.uses++;
  }

  /** Undoes {@link #acquire}; the last use unlocks. On refusal the memory stays locked. */
  void release(long address, long byteSize) throws Refusal {
    long start = address & -pageSize;
    var entry = byStart.floorEntry(start);
    if (entry == null || entry.getValue().end < roundUp(address + byteSize)) {
      throw new IllegalStateException("0x%x is not registered".formatted(address));
    }
    var registration = entry.getValue();
    registration.uses--;
    if (registration.uses == 0) {
      byStart.remove(entry.getKey());
      unlock.apply(entry.getKey(), registration.end - entry.getKey());
    }
  }

  /** How many bytes {@link #acquire} would lock. */
  long missing(long address, long byteSize) {
    long start = address & -pageSize;
    long end = roundUp(address + byteSize);
    return containing(start, end) == null ? end - start : 0;
  }

  private @Nullable Registration containing(long start, long end) {
    var entry = byStart.floorEntry(start);
    return entry == null || entry.getValue().end < end ? null : entry.getValue();
  }

  private long roundUp(long address) {
    return (address + pageSize - 1) & -pageSize;
  }
}
