// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.sim.iommu.IovaRanges.isBelow;
import static io.jvfio.sim.iommu.IovaRanges.wraps;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * An IO address space: areas of memory at unsigned addresses, in all hardware page tables that are
 * made of it. Source: {@code drivers/iommu/iommufd/io_pagetable.c}.
 */
public final class Ioas extends IommufdObject {
  /** What the kernel aligns to at most when it chooses an address: a transparent huge page. */
  private static final long LARGEST_ALIGNMENT = 2 << 20;

  private final HostProcess process;
  private final TreeMap<Long, IoasArea> areas = new TreeMap<>(Long::compareUnsigned);
  private final IoasRanges allowed = new IoasRanges();
  private final IoasRanges reserved = new IoasRanges();
  private final List<Hwpt> tables = new ArrayList<>();
  private long alignment = 1;
  private boolean smallPages;

  /** A part of memory that is to be mapped. */
  record Slice(IoasPages pages, long offset, long byteSize) {}

  /**
   * The result of mapping.
   *
   * @param error 0, or a negated errno
   * @param iova where it is if there was no error
   */
  record Mapped(int error, long iova) {}

  /**
   * The result of looking memory up.
   *
   * @param error 0, or a negated errno
   */
  record Found(int error, List<Slice> slices) {}

  /**
   * The result of unmapping.
   *
   * @param error 0, or a negated errno
   * @param byteSize how much is unmapped, with an error too
   */
  record Unmapped(int error, long byteSize) {}

  Ioas(HostProcess process, int id) {
    super(id);
    this.process = process;
  }

  @Override
  void destroy() {
    unmapAll();
  }

  private long pageSize() {
    return process.pageSize();
  }

  /** What addresses and lengths must be multiples of. */
  long alignment() {
    return alignment;
  }

  boolean hasSmallPages() {
    return smallPages;
  }

  List<Hwpt> tables() {
    return tables;
  }

  /** Where there can be mappings, now and while everything stays attached. */
  List<IovaRanges.Range> ranges() {
    return reserved.holes();
  }

  /** Bytes that the hardware page tables have. */
  long mappedBytes() {
    return tables.isEmpty() ? 0 : areas.values().stream().mapToLong(IoasArea::byteSize).sum();
  }

  private @Nullable IoasArea containing(long iova) {
    var entry = areas.floorEntry(iova);
    return entry == null || isBelow(entry.getValue().last(), iova) ? null : entry.getValue();
  }

  /** The first area that has any address from {@code iova} to {@code last}, or null. */
  private @Nullable IoasArea firstArea(long iova, long last) {
    var containing = containing(iova);
    if (containing != null) {
      return containing;
    }
    var entry = areas.ceilingEntry(iova);
    return entry == null || isBelow(last, entry.getKey()) ? null : entry.getValue();
  }

  /** Takes other ranges in the place of those that were allowed: 0, or a negated errno. */
  int allow(List<IoasRanges.Range> ranges) {
    for (var range : ranges) {
      if (reserved.meet(range.start(), range.last())) {
        return Errno.EADDRINUSE.result();
      }
    }
    allowed.clear();
    allowed.addAll(ranges);
    return 0;
  }

  /** Keeps a range free for {@code owner}, who keeps none if one of his cannot be kept. */
  private int reserve(long start, long last, Object owner) {
    if (firstArea(start, last) != null || allowed.meet(start, last)) {
      return Errno.EADDRINUSE.result();
    }
    reserved.add(new IoasRanges.Range(start, last, owner));
    return 0;
  }

  /** Keeps free what a device cannot use: 0, or a negated errno. */
  int reserveFor(IommufdDevice device) {
    for (var range : device.group().description().reserved()) {
      if (!range.limitsMapping()) {
        continue;
      }
      int error = reserve(range.start(), range.last(), device);
      if (error != 0) {
        reserved.removeOf(device);
        return error;
      }
    }
    return 0;
  }

  /** Undoes {@link #reserveFor}. */
  void unreserveFor(IommufdDevice device) {
    reserved.removeOf(device);
  }

  /**
   * The place where a mapping is wanted.
   *
   * @param isChosen whether {@code iova} counts; otherwise any place is right
   */
  record FixedIova(boolean isChosen, long iova) {}

  /** Maps slices one after the other. */
  Mapped map(List<Slice> slices, long byteSize, boolean read, boolean write, FixedIova fixed) {
    if ((byteSize & alignment - 1) != 0 || byteSize == 0) {
      return new Mapped(Errno.EINVAL.result(), 0);
    }
    var firstSlice = slices.getFirst();
    var place =
        fixed.isChosen()
            ? new Mapped(check(fixed.iova(), byteSize), fixed.iova())
            : choose(firstSlice.pages().start() + firstSlice.offset(), byteSize);
    if (place.error() != 0) {
      return place;
    }
    var added = new ArrayList<IoasArea>();
    long iova = place.iova();
    for (var slice : slices) {
      if (write && !slice.pages().isWritable()) {
        return new Mapped(Errno.EPERM.result(), 0);
      }
      if ((slice.offset() % pageSize() & alignment - 1) != 0) {
        return new Mapped(Errno.EINVAL.result(), 0);
      }
      if (wraps(iova, slice.byteSize()) || wraps(slice.offset(), slice.byteSize())) {
        return new Mapped(Errno.EOVERFLOW.result(), 0);
      }
      long last = iova + slice.byteSize() - 1;
      added.add(new IoasArea(iova, last, slice.pages(), slice.offset(), read, write));
      iova = last + 1;
    }
    if (!tables.isEmpty()) {
      int error = fill(added);
      if (error != 0) {
        return new Mapped(error, 0);
      }
    }
    added.forEach(area -> areas.put(area.iova(), area));
    return place;
  }

  /** Pins what areas have, all or nothing: 0, or a negated errno. */
  private static int fill(Iterable<IoasArea> filled) {
    var done = new ArrayList<IoasArea>();
    for (var area : filled) {
      int error = area.pages().pin(area.offset(), area.byteSize());
      // A page table has no entry that lets a device neither read nor write.
      if (error == 0 && !area.read() && !area.write()) {
        area.pages().unpin(area.offset(), area.byteSize());
        error = Errno.EINVAL.result();
      }
      if (error != 0) {
        unfill(done);
        return error;
      }
      done.add(area);
    }
    return 0;
  }

  private static void unfill(Iterable<IoasArea> filled) {
    for (var area : filled) {
      area.pages().unpin(area.offset(), area.byteSize());
    }
  }

  private int check(long iova, long byteSize) {
    if ((iova & alignment - 1) != 0) {
      return Errno.EINVAL.result();
    }
    if (wraps(iova, byteSize)) {
      return Errno.EOVERFLOW.result();
    }
    long last = iova + byteSize - 1;
    if (reserved.meet(iova, last)) {
      return Errno.EINVAL.result();
    }
    return firstArea(iova, last) != null ? Errno.EEXIST.result() : 0;
  }

  /** The lowest free place, though not the first page nor the last, aligned as the memory is. */
  private Mapped choose(long address, long byteSize) {
    if (byteSize <= 0 || byteSize == Long.MAX_VALUE) {
      return new Mapped(Errno.EOVERFLOW.result(), 0);
    }
    long highest = Long.highestOneBit(byteSize);
    long wanted = highest == byteSize ? highest : highest << 1;
    if (address != 0 && isBelow(Long.lowestOneBit(address), wanted)) {
      wanted = Long.lowestOneBit(address);
    }
    if (isBelow(LARGEST_ALIGNMENT, wanted)) {
      wanted = LARGEST_ALIGNMENT;
    }
    if (isBelow(wanted, alignment)) {
      return new Mapped(Errno.EINVAL.result(), 0);
    }
    long offset = address & pageSize() - 1;
    long lowest = pageSize();
    long highestLast = -1 - pageSize();
    for (var range :
        allowed.isEmpty() ? List.of(new IovaRanges.Range(lowest, highestLast)) : allowed.union()) {
      long start = isBelow(range.start(), lowest) ? lowest : range.start();
      long last = isBelow(highestLast, range.last()) ? highestLast : range.last();
      if (isBelow(last, start)) {
        continue;
      }
      var fitting = fit(start, last, byteSize, wanted, offset);
      if (fitting == null) {
        continue;
      }
      var place = chooseIn(fitting, last, byteSize, wanted, offset);
      if (place != null) {
        return new Mapped(0, place);
      }
    }
    return new Mapped(Errno.ENOSPC.result(), 0);
  }

  private @Nullable Long chooseIn(long start, long last, long byteSize, long wanted, long offset) {
    long at = start;
    while (true) {
      // The hole from here on ends before whatever comes first.
      long taken = takenUpTo(at);
      if (taken != at) {
        if (taken == 0 || isBelow(last, taken)) {
          return null;
        }
        at = taken;
        continue;
      }
      long end = last;
      var area = areas.ceilingEntry(at);
      if (area != null && !isBelow(last, area.getKey())) {
        end = area.getKey() - 1;
      }
      for (var range : reserved.list()) {
        if (!isBelow(range.start(), at) && !isBelow(end, range.start())) {
          end = range.start() - 1;
        }
      }
      var fitting = fit(at, end, byteSize, wanted, offset);
      if (fitting != null) {
        return fitting;
      }
      if (end == last) {
        return null;
      }
      at = end + 1;
    }
  }

  /**
   * The first address from {@code at} on that is not in what has {@code at}; 0 if there is none.
   */
  private long takenUpTo(long at) {
    var area = containing(at);
    if (area != null) {
      return area.last() + 1;
    }
    for (var range : reserved.list()) {
      if (range.meets(at, at)) {
        return range.last() + 1;
      }
    }
    return at;
  }

  private static @Nullable Long fit(
      long start, long last, long byteSize, long wanted, long offset) {
    if (isBelow(start + wanted - 1, start)) {
      return null;
    }
    long aligned = (start + wanted - 1 & -wanted) | offset;
    return !isBelow(aligned, last) || isBelow(last - aligned, byteSize - 1) ? null : aligned;
  }

  /** The memory behind a range that is mapped from end to end. */
  Found find(long iova, long byteSize) {
    if (byteSize == 0) {
      return new Found(Errno.EINVAL.result(), List.of());
    }
    if (wraps(iova, byteSize)) {
      return new Found(Errno.EOVERFLOW.result(), List.of());
    }
    long last = iova + byteSize - 1;
    var slices = new ArrayList<Slice>();
    for (long at = iova; ; ) {
      var area = containing(at);
      if (area == null) {
        return new Found(Errno.ENOENT.result(), List.of());
      }
      long end = isBelow(last, area.last()) ? last : area.last();
      slices.add(new Slice(area.pages(), area.offsetOf(at), end - at + 1));
      if (end == last) {
        return new Found(0, slices);
      }
      at = end + 1;
    }
  }

  /** Whether a range is mapped from end to end, and by what. */
  List<IoasArea> contiguous(long iova, long last) {
    var found = new ArrayList<IoasArea>();
    for (long at = iova; ; ) {
      var area = containing(at);
      if (area == null) {
        return found;
      }
      found.add(area);
      if (!isBelow(area.last(), last)) {
        return found;
      }
      at = area.last() + 1;
    }
  }

  /** Unmaps the areas of a range, of which none may stick out. */
  Unmapped unmap(long iova, long byteSize) {
    if (byteSize == 0) {
      return new Unmapped(Errno.EINVAL.result(), 0);
    }
    return wraps(iova, byteSize)
        ? new Unmapped(Errno.EOVERFLOW.result(), 0)
        : unmapRange(iova, iova + byteSize - 1);
  }

  Unmapped unmapAll() {
    return unmapRange(0, -1);
  }

  private Unmapped unmapRange(long iova, long last) {
    long start = iova;
    long unmapped = 0;
    for (var area = firstArea(start, last); area != null; area = firstArea(start, last)) {
      if (isBelow(area.iova(), start) || isBelow(last, area.last())) {
        return new Unmapped(Errno.ENOENT.result(), unmapped);
      }
      areas.remove(area.iova());
      if (!tables.isEmpty()) {
        unfill(List.of(area));
        for (var table : tables) {
          table.forget(area.iova(), area.last());
        }
      }
      unmapped += area.byteSize();
      if (area.last() == last) {
        break;
      }
      start = area.last() + 1;
    }
    return new Unmapped(0, unmapped);
  }

  /** Makes an area end at each address that is in one: 0, or a negated errno. */
  int cut(long... addresses) {
    for (long address : addresses) {
      var area = containing(address);
      if (area == null || address == area.iova() || address == area.last()) {
        continue;
      }
      long next = address + 1;
      if (((next | area.offsetOf(next)) & alignment - 1) != 0) {
        return Errno.EINVAL.result();
      }
      if (!tables.isEmpty()) {
        if (!smallPages) {
          return Errno.EINVAL.result();
        }
        area.pages().split(area.offset(), area.byteSize(), next - area.iova());
      }
      areas.put(
          area.iova(),
          new IoasArea(
              area.iova(), address, area.pages(), area.offset(), area.read(), area.write()));
      areas.put(
          next,
          new IoasArea(
              next, area.last(), area.pages(), area.offsetOf(next), area.read(), area.write()));
    }
    return 0;
  }

  /** Fills a new hardware page table: 0, or a negated errno. */
  int add(Hwpt table) {
    long wanted = Math.max(alignment, Long.lowestOneBit(table.platform().pageSizes()));
    if (wanted > pageSize()) {
      return Errno.EINVAL.result();
    }
    if (wanted != alignment && !areAligned(wanted)) {
      return Errno.EADDRINUSE.result();
    }
    int error =
        table.platform().lastIova() == -1 ? 0 : reserve(table.platform().lastIova() + 1, -1, table);
    // Where there is one page table already, memory is pinned.
    if (error == 0 && tables.isEmpty()) {
      error = fill(areas.values());
    }
    if (error != 0) {
      reserved.removeOf(table);
      return error;
    }
    alignment = wanted;
    tables.add(table);
    return 0;
  }

  /** Empties a hardware page table. */
  void remove(Hwpt table) {
    tables.remove(table);
    if (tables.isEmpty()) {
      unfill(areas.values());
    }
    reserved.removeOf(table);
    alignment = ownAlignment();
  }

  private boolean areAligned(long wanted) {
    return areas.values().stream().allMatch(area -> area.isAligned(wanted, pageSize()));
  }

  private long ownAlignment() {
    long own = smallPages ? pageSize() : 1;
    for (var table : tables) {
      own = Math.max(own, Long.lowestOneBit(table.platform().pageSizes()));
    }
    return own;
  }

  /** Pages may be combined into larger ones again. */
  void allowLargePages() {
    smallPages = false;
    alignment = ownAlignment();
  }

  /** Pages are not combined into larger ones: 0, or a negated errno. */
  int forbidLargePages() {
    if (smallPages) {
      return 0;
    }
    if (!tables.isEmpty() && !areas.isEmpty()) {
      return Errno.EINVAL.result();
    }
    if (alignment < pageSize() && !areAligned(pageSize())) {
      return Errno.EADDRINUSE.result();
    }
    smallPages = true;
    alignment = ownAlignment();
    return 0;
  }

  /** The memory at {@code iova}, as {@link DmaTranslation#reach}. */
  MemorySegment reach(long iova, long byteSize, boolean write) throws DmaBlocked {
    var area = containing(iova);
    if (area == null) {
      throw DmaBlocked.notMapped(iova);
    }
    if (write ? !area.write() : !area.read()) {
      throw DmaBlocked.notPermitted(iova, write);
    }
    return process
        .memory()
        .pinned(
            area.pages().start() + area.offsetOf(iova), Math.min(byteSize, area.last() - iova + 1));
  }
}
