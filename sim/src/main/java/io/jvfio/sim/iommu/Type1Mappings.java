// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.memory.UserFault;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The mappings of a Type1 container, which pin and charge their pages. Addresses are unsigned.
 * Source: {@code drivers/vfio/vfio_iommu_type1.c}.
 */
final class Type1Mappings {
  private final HostProcess process;
  private final boolean v2;
  private final TreeMap<Long, Mapping> mappings = new TreeMap<>(Long::compareUnsigned);
  private int available;
  private int invalidAddresses;

  private static final class Mapping {
    final long iova;
    final long size;
    final long pinnedAddress;
    final boolean read;
    final boolean write;

    /** The user has taken its address back, and owes another one. */
    boolean addressInvalid;

    @Nullable DirtyBitmap dirty;

    Mapping(long iova, long size, long pinnedAddress, boolean read, boolean write) {
      this.iova = iova;
      this.size = size;
      this.pinnedAddress = pinnedAddress;
      this.read = read;
      this.write = write;
    }

    long last() {
      return iova + size - 1;
    }
  }

  Type1Mappings(HostProcess process, boolean v2) {
    this.process = process;
    this.v2 = v2;
    this.available = process.settings().dmaEntryLimit;
  }

  /** How many more there can be. */
  int available() {
    return available;
  }

  boolean hasInvalidAddresses() {
    return invalidAddresses > 0;
  }

  /** Whether all of them are in {@code ranges}. */
  boolean areIn(IovaRanges ranges) {
    return mappings.values().stream()
        .allMatch(mapping -> ranges.contain(mapping.iova, mapping.last()));
  }

  private @Nullable Mapping containing(long iova) {
    var entry = mappings.floorEntry(iova);
    return entry == null || Long.compareUnsigned(entry.getValue().last(), iova) < 0
        ? null
        : entry.getValue();
  }

  /** Those that have any address from {@code iova} to {@code last}. */
  private Collection<Mapping> overlapping(long iova, long last) {
    var atStart = containing(iova);
    return mappings.subMap(atStart == null ? iova : atStart.iova, true, last, true).values();
  }

  /** Maps a range that is aligned and does not wrap: 0, or a negated errno. */
  int map(IovaRanges ranges, long iova, long vaddr, long size, boolean read, boolean write) {
    long last = iova + size - 1;
    if (!overlapping(iova, last).isEmpty()) {
      return Errno.EEXIST.result();
    }
    if (available == 0) {
      return Errno.ENOSPC.result();
    }
    if (!ranges.contain(iova, last)) {
      return Errno.EINVAL.result();
    }
    // The kernel goes page by page, and answers what stops it first.
    long pinnable = process.memory().pinnable(vaddr, size, write);
    if (pinnable / process.pageSize() > process.locked().available()) {
      return Errno.ENOMEM.result();
    }
    if (pinnable < size) {
      return Errno.EFAULT.result();
    }
    process.locked().charge(size);
    process.memory().pin(vaddr, size);
    mappings.put(iova, new Mapping(iova, size, vaddr, read, write));
    available--;
    return 0;
  }

  /** Gives a mapping whose address is invalid another one: 0, or a negated errno. */
  int setAddress(long iova, long vaddr, long size) {
    var overlapping = overlapping(iova, iova + size - 1);
    if (overlapping.isEmpty()) {
      return Errno.ENOENT.result();
    }
    var mapping = overlapping.iterator().next();
    if (!mapping.addressInvalid || mapping.iova != iova || mapping.size != size) {
      return Errno.EINVAL.result();
    }
    mapping.addressInvalid = false;
    invalidAddresses--;
    return 0;
  }

  /** Whether a range has a part of a mapping and not all of it. */
  boolean bisects(long iova, long last) {
    var atStart = containing(iova);
    var end = containing(last);
    return (atStart != null && atStart.iova != iova) || (end != null && end.last() != last);
  }

  /** Unmaps what begins in a range, whole; returns how many bytes that was. */
  long unmap(long iova, long last) {
    long removed = 0;
    for (var mapping : found(iova, last)) {
      mappings.remove(mapping.iova);
      remove(mapping);
      removed += mapping.size;
    }
    return removed;
  }

  /**
   * Unmaps as {@link #unmap}, and writes each mapping's dirty pages first; a mapping whose pages
   * cannot be written stays, and so do those after it.
   *
   * @param bitmap the user's bitmap, whose first bit is the page at {@code iova}
   */
  long unmapDirty(long iova, long last, MemorySegment bitmap, long pageSize) throws UserFault {
    long removed = 0;
    for (var mapping : found(iova, last)) {
      dirty(mapping, pageSize).copyOut(bitmap, (mapping.iova - iova) / pageSize);
      mappings.remove(mapping.iova);
      remove(mapping);
      removed += mapping.size;
    }
    return removed;
  }

  /** Writes the dirty pages of the mappings in a range, which bisects none of them. */
  void copyDirtyPages(long iova, long last, MemorySegment bitmap, long pageSize) throws UserFault {
    for (var mapping : overlapping(iova, last)) {
      var dirty = dirty(mapping, pageSize);
      dirty.copyOut(bitmap, (mapping.iova - iova) / pageSize);
      dirty.clear();
    }
  }

  private static DirtyBitmap dirty(Mapping mapping, long pageSize) {
    var dirty = mapping.dirty;
    if (dirty == null) {
      dirty = new DirtyBitmap(mapping.size / pageSize);
      mapping.dirty = dirty;
    }
    return dirty;
  }

  /** Tracking starts, or stops. */
  void forgetDirtyPages() {
    mappings.values().forEach(mapping -> mapping.dirty = null);
  }

  /** Version 1 leaves alone what a range does not reach the start of. */
  private List<Mapping> found(long iova, long last) {
    var found = List.copyOf(overlapping(iova, last));
    return !v2 && !found.isEmpty() && Long.compareUnsigned(found.getFirst().iova, iova) < 0
        ? List.of()
        : found;
  }

  private void remove(Mapping mapping) {
    process.memory().unpin(mapping.pinnedAddress, mapping.size);
    process.locked().uncharge(mapping.size);
    available++;
    if (mapping.addressInvalid) {
      invalidAddresses--;
    }
  }

  /** Invalidates addresses and leaves DMA going; returns how many bytes, or a negated errno. */
  long invalidateAddresses(long iova, long last) {
    var found = found(iova, last);
    if (found.stream().anyMatch(mapping -> mapping.addressInvalid)) {
      return Errno.EINVAL.result();
    }
    long bytes = 0;
    for (var mapping : found) {
      mapping.addressInvalid = true;
      invalidAddresses++;
      bytes += mapping.size;
    }
    return bytes;
  }

  /** Unmaps everything. */
  void clear() {
    mappings.values().forEach(this::remove);
    mappings.clear();
  }

  long bytes() {
    return mappings.values().stream().mapToLong(mapping -> mapping.size).sum();
  }

  MemorySegment reach(long iova, long byteSize, boolean write) throws DmaBlocked {
    var mapping = containing(iova);
    if (mapping == null) {
      throw DmaBlocked.notMapped(iova);
    }
    if (write ? !mapping.write : !mapping.read) {
      throw DmaBlocked.notPermitted(iova, write);
    }
    long offset = iova - mapping.iova;
    return process
        .memory()
        .pinned(mapping.pinnedAddress + offset, Math.min(byteSize, mapping.size - offset));
  }
}
