// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.linux.SharedMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The address space of the process: memory, which has real addresses, and mapped BARs, whose
 * addresses are numbers that nothing dereferences.
 *
 * <p>Pages are pinned by address: a pinned page is not given back, so an address names the same
 * page for as long as it is pinned, mapped or not.
 *
 * <p>A range that starts outside all memory that was mapped here is the JVM's own, as a segment of
 * the caller's is. Whether it is there is looked up when a system call gets it ({@link OwnMemory});
 * it is not kept from being freed, so it must outlive its mapping for DMA. A range is never partly
 * the one and partly the other.
 */
public final class ProcessMemory {
  /** Above what any processor's user space reaches, so it meets no real address. */
  private static final long FIRST_DEVICE_ADDRESS = 0x4000_0000_0000_0000L;

  /** More than any argument that is a pointer points to. */
  private static final long LARGEST_ARGUMENT = 1 << 20;

  private static final long FIRST_PHYSICAL_ADDRESS = 0x1_0000_0000L;

  /** What is together in physical memory, as transparent huge pages make it. */
  private static final long PHYSICAL_BLOCK = 2 << 20;

  /**
   * How much memory that was unmapped is not given back at once. Its addresses stay taken, so that
   * who still uses them is told, and does not touch what has come there since.
   */
  private static final long LARGEST_QUARANTINE = 64 << 20;

  private static final int LONGEST_QUARANTINE = 256;

  private final int pageSize;
  private final LockedMemory lockedMemory;
  private final TreeMap<Long, Mapping> mappings = new TreeMap<>();
  private final TreeMap<Long, Backing> backings = new TreeMap<>();
  private final TreeMap<Long, PhysicalMemory> physical = new TreeMap<>();
  private final Map<Backing, Runnable> endings = new HashMap<>();
  private final Set<Backing> unmappedAndViewed = new HashSet<>();
  private final Deque<Backing> quarantine = new ArrayDeque<>();
  private final OwnPages ownPages = new OwnPages();
  private final HugePages hugePages;
  private long quarantined;
  private long nextDeviceAddress = FIRST_DEVICE_ADDRESS;
  private long nextPhysicalAddress = FIRST_PHYSICAL_ADDRESS;

  private record PhysicalMemory(PhysicalRange range, MemorySegment pages) {}

  /** A file whose registers are mapped: it stays open, and answers what is loaded and stored. */
  public interface MappedFile {
    void retain();

    void drop();

    /** What a load at {@code offset} of a BAR gets. */
    long load(int bar, long offset, int width);

    /** Stores to {@code offset} of a BAR. */
    void store(int bar, long offset, int width, long value);
  }

  /**
   * A mapped range. Just one of {@code backing} and {@code file} is there.
   *
   * @param barOffset where in the BAR the range starts
   */
  record Mapping(
      long start,
      long end,
      boolean writable,
      boolean locked,
      @Nullable Backing backing,
      @Nullable MappedFile file,
      int bar,
      long barOffset) {

    Mapping part(long from, long to) {
      return new Mapping(from, to, writable, locked, backing, file, bar, offsetOf(from));
    }

    Mapping lock(boolean locked) {
      return new Mapping(start, end, writable, locked, backing, file, bar, barOffset);
    }

    /** Whether it has pages that are larger than {@code pageSize}. */
    boolean isHuge(long pageSize) {
      return backing != null && backing.pageSize() > pageSize;
    }

    /** Where in its BAR an address of it is. */
    long offsetOf(long address) {
      return barOffset + (address - start);
    }

    void retain() {
      if (backing != null) {
        backing.map();
      }
      if (file != null) {
        file.retain();
      }
    }

    void drop() {
      if (backing != null) {
        backing.unmap();
      }
      if (file != null) {
        file.drop();
      }
    }
  }

  public ProcessMemory(int pageSize, LockedMemory lockedMemory, HugePages hugePages) {
    this.pageSize = pageSize;
    this.lockedMemory = lockedMemory;
    this.hugePages = hugePages;
  }

  /** Maps zeroed memory; a negated errno when there is none. */
  public long mapAnonymous(long byteSize, int protection) {
    freeUnused();
    var arena = Arena.ofShared();
    try {
      var pages = NativeMemory.allocate(byteSize, pageSize, arena);
      return mapAnonymous(arena, pages, pageSize, protection, () -> {});
    } catch (OutOfMemoryError e) {
      arena.close();
      return Errno.ENOMEM.result();
    }
  }

  /** Maps zeroed memory of huge pages, which {@code flags} choose; a negated errno if it cannot. */
  public long mapHuge(long byteSize, int protection, int flags) {
    freeUnused();
    var pool = hugePages.chosenBy(flags);
    if (pool == null) {
      return Errno.EINVAL.result();
    }
    long rounded = pool.roundUp(byteSize);
    long count = rounded / pool.pageSize();
    if (!SharedMemory.isAvailable() || !pool.take(count)) {
      return Errno.ENOMEM.result();
    }
    var arena = Arena.ofShared();
    try (var memory = SharedMemory.allocate(rounded)) {
      var pages = memory.map(0, rounded, pool.pageSize(), false, arena);
      return mapAnonymous(arena, pages, pool.pageSize(), protection, () -> pool.give(count));
    } catch (ErrnoException e) {
      arena.close();
      pool.give(count);
      return Errno.ENOMEM.result();
    }
  }

  private long mapAnonymous(
      Arena arena, MemorySegment pages, long pageSize, int protection, Runnable ending) {
    var range = newPhysical(pages, pageSize);
    var backing = new Backing(arena, pages, pageSize, pages.byteSize(), range, 0, false);
    return map(
        backing,
        protection,
        () -> {
          ending.run();
          endPhysical(range);
        });
  }

  /**
   * Maps all of a new backing.
   *
   * @param ending what to do when nothing uses it any more
   */
  public long map(Backing backing, int protection, Runnable ending) {
    backings.put(backing.address(), backing);
    endings.put(backing, ending);
    boolean writable = (protection & Kernel.PROT_WRITE) != 0;
    add(new Mapping(backing.address(), backing.end(), writable, false, backing, null, 0, 0));
    return backing.address();
  }

  /** Finds a place in physical memory for {@code pages}. */
  public PhysicalRange newPhysical(MemorySegment pages, long pageSize) {
    long block = Math.max(PHYSICAL_BLOCK, pageSize);
    long start = (nextPhysicalAddress + block - 1) & -block;
    var range = new PhysicalRange(start, pages.byteSize(), block);
    nextPhysicalAddress = range.end() + block;
    physical.put(start, new PhysicalMemory(range, pages));
    return range;
  }

  /** Gives a place in physical memory up. */
  public void endPhysical(PhysicalRange range) {
    physical.remove(range.start());
  }

  /** Maps a part of a BAR. */
  public long mapBar(MappedFile file, int bar, long barOffset, long byteSize, int protection) {
    long start = nextDeviceAddress;
    nextDeviceAddress += byteSize + pageSize;
    boolean writable = (protection & Kernel.PROT_WRITE) != 0;
    add(new Mapping(start, start + byteSize, writable, false, null, file, bar, barOffset));
    return start;
  }

  private void add(Mapping mapping) {
    mapping.retain();
    mappings.put(mapping.start(), mapping);
  }

  /** Unmaps every page in a range; pages that are not mapped are no error. */
  public int unmap(long address, long byteSize) {
    if (address % pageSize != 0 || byteSize <= 0) {
      return Errno.EINVAL.result();
    }
    long end = address + roundUp(byteSize);
    if (splitsHugePage(address) || splitsHugePage(end)) {
      return Errno.EINVAL.result();
    }
    for (var mapping = lastBelow(end);
        mapping != null && mapping.end() > address;
        mapping = lastBelow(end)) {
      mappings.remove(mapping.start());
      long from = Math.max(mapping.start(), address);
      long to = Math.min(mapping.end(), end);
      if (mapping.locked()) {
        lockedMemory.uncharge(to - from);
      }
      if (mapping.start() < address) {
        add(mapping.part(mapping.start(), address));
      }
      if (mapping.end() > end) {
        add(mapping.part(end, mapping.end()));
      }
      mapping.drop();
      if (mapping.backing() != null) {
        freeIfUnused(mapping.backing());
      }
    }
    freeUnused();
    return 0;
  }

  private boolean splitsHugePage(long address) {
    var mapping = at(address);
    return mapping != null
        && mapping.backing() != null
        && address % mapping.backing().pageSize() != 0;
  }

  /**
   * Locks the pages of a range, which are charged until they are unmapped. Huge pages are checked
   * against the limit and not charged: they are never swapped out.
   */
  public int lock(long address, long byteSize) {
    long start = address & -pageSize;
    long end = roundUp(address + byteSize);
    if (isOwn(address)) {
      return lockOwn(address, byteSize, start, end);
    }
    long missing = 0;
    long charged = 0;
    for (long at = start; at < end; ) {
      var mapping = at(at);
      if (mapping == null) {
        return Errno.ENOMEM.result();
      }
      long pieceEnd = Math.min(end, mapping.end());
      missing += mapping.locked() ? 0 : pieceEnd - at;
      charged += mapping.locked() || mapping.isHuge(pageSize) ? 0 : pieceEnd - at;
      at = pieceEnd;
    }
    if (missing / pageSize > lockedMemory.available() || !lockedMemory.charge(charged)) {
      return Errno.ENOMEM.result();
    }
    for (long at = start; at < end; ) {
      var mapping = requireNonNull(at(at));
      long pieceEnd = Math.min(end, mapping.end());
      if (!mapping.locked() && !mapping.isHuge(pageSize)) {
        lock(mapping, at, pieceEnd, true);
      }
      at = pieceEnd;
    }
    return 0;
  }

  /** Unlocks the pages of a range, locked or not. */
  public int unlock(long address, long byteSize) {
    long start = address & -pageSize;
    long end = roundUp(address + byteSize);
    if (isOwn(address)) {
      lockedMemory.uncharge(ownPages.unlock(start, end));
      return 0;
    }
    for (long at = start; at < end; ) {
      var mapping = at(at);
      if (mapping == null) {
        return Errno.ENOMEM.result();
      }
      long pieceEnd = Math.min(end, mapping.end());
      if (mapping.locked()) {
        lock(mapping, at, pieceEnd, false);
        lockedMemory.uncharge(pieceEnd - at);
      }
      at = pieceEnd;
    }
    return 0;
  }

  private int lockOwn(long address, long byteSize, long start, long end) {
    var own = OwnMemory.snapshot();
    lockedMemory.uncharge(ownPages.dropLost(own));
    if (own.reach(address, byteSize, false) < byteSize
        || !lockedMemory.charge(ownPages.missing(start, end))) {
      return Errno.ENOMEM.result();
    }
    ownPages.lock(start, end);
    return 0;
  }

  private void lock(Mapping mapping, long from, long to, boolean locked) {
    mappings.remove(mapping.start());
    if (mapping.start() < from) {
      add(mapping.part(mapping.start(), from));
    }
    add(mapping.part(from, to).lock(locked));
    if (to < mapping.end()) {
      add(mapping.part(to, mapping.end()));
    }
    mapping.drop();
  }

  private @Nullable Mapping lastBelow(long end) {
    var entry = mappings.lowerEntry(end);
    return entry == null ? null : entry.getValue();
  }

  /** Unmaps everything, as the end of a process does. */
  public void unmapAll() {
    for (var mapping : mappings.values().toArray(new Mapping[0])) {
      unmap(mapping.start(), mapping.end() - mapping.start());
    }
    shortenQuarantine(0, 0);
  }

  public long roundUp(long byteSize) {
    return (byteSize + pageSize - 1) & -pageSize;
  }

  /** The mapping that has {@code address}, or null. */
  @Nullable Mapping at(long address) {
    var entry = mappings.floorEntry(address);
    return entry == null || entry.getValue().end() <= address ? null : entry.getValue();
  }

  /** Whether an address is the JVM's own, as far as this knows: not of memory mapped here. */
  private boolean isOwn(long address) {
    return at(address) == null && backingAt(address) == null;
  }

  private @Nullable Backing backingAt(long address) {
    var entry = backings.floorEntry(address);
    return entry == null || entry.getValue().end() <= address ? null : entry.getValue();
  }

  /** Memory from {@code address} to the end of its mapping; empty if there is none. */
  MemorySegment mappedFrom(long address) {
    var mapping = at(address);
    if (mapping != null) {
      return mapping.backing() == null
          ? MemorySegment.NULL
          : mapping.backing().from(address, mapping.end() - address);
    }
    long readable = pinnable(address, LARGEST_ARGUMENT, false);
    long writable = readable == 0 ? 0 : pinnable(address, LARGEST_ARGUMENT, true);
    if (readable == 0) {
      return MemorySegment.NULL;
    }
    return writable > 0
        ? NativeMemory.at(address, writable, Arena.global())
        : NativeMemory.at(address, readable, Arena.global()).asReadOnly();
  }

  /**
   * What a pointer in a system call's argument points to, for use during the call.
   *
   * @throws UserFault when not all of it can be read, or written
   */
  public MemorySegment user(long address, long byteSize, boolean write) throws UserFault {
    var memory = userPart(address, byteSize, write);
    if (memory.byteSize() < byteSize) {
      throw new UserFault();
    }
    return memory;
  }

  /** As {@link #user}, but only as much from {@code address} on as can be read, or written. */
  public MemorySegment userPart(long address, long byteSize, boolean write) {
    long reached = pinnable(address, byteSize, write);
    return reached == 0 ? MemorySegment.NULL : NativeMemory.at(address, reached, Arena.global());
  }

  /** A view of mapped memory for the user, whose pages stay until {@code lifetime} ends. */
  public MemorySegment view(long address, long byteSize, Arena lifetime) {
    if (byteSize <= 0 || mappedReach(address, byteSize, false) < byteSize) {
      throw new IllegalArgumentException(
          "no memory of %d bytes is mapped at 0x%x".formatted(byteSize, address));
    }
    for (var backing : backings(address, byteSize)) {
      backing.viewedUntil(lifetime.scope());
    }
    return NativeMemory.at(address, byteSize, lifetime);
  }

  /**
   * How many bytes from {@code address} on are memory that a device may be given; those that it
   * writes must be writable.
   */
  public long pinnable(long address, long byteSize, boolean write) {
    if (!isOwn(address)) {
      return mappedReach(address, byteSize, write);
    }
    var next = backings.higherKey(address);
    long own = next == null ? byteSize : Math.min(byteSize, next - address);
    return OwnMemory.reachNow(address, own, write);
  }

  private long mappedReach(long address, long byteSize, boolean write) {
    long reached = 0;
    while (reached < byteSize) {
      var mapping = at(address + reached);
      if (mapping == null || mapping.backing() == null || (write && !mapping.writable())) {
        break;
      }
      long end = Math.min(mapping.end(), mapping.backing().presentEnd());
      reached = Math.max(reached, end - address);
      if (end < mapping.end()) {
        break;
      }
    }
    return Math.min(reached, byteSize);
  }

  /**
   * The size of the smallest pages behind a range that is all {@link #pinnable}, in bytes. Of the
   * JVM's own memory nothing is known but that it has pages.
   */
  long pageSize(long address, long byteSize) {
    return backings(address, byteSize).stream().mapToLong(Backing::pageSize).min().orElse(pageSize);
  }

  /** Keeps the pages of a range, all {@link #pinnable}, whatever happens to their mappings. */
  public void pin(long address, long byteSize) {
    backings(address, byteSize).forEach(backing -> backing.pin(address, address + byteSize));
  }

  /** Undoes {@link #pin} of the same range. */
  public void unpin(long address, long byteSize) {
    for (var backing : backings(address, byteSize)) {
      backing.unpin();
      freeIfUnused(backing);
    }
  }

  private List<Backing> backings(long address, long byteSize) {
    var found = new ArrayList<Backing>();
    for (var entry = backings.lowerEntry(address + byteSize);
        entry != null && entry.getValue().end() > address;
        entry = backings.lowerEntry(entry.getKey())) {
      found.add(entry.getValue());
    }
    return found;
  }

  /** Pinned memory at {@code address}: at most {@code byteSize} bytes, at least one. */
  public MemorySegment pinned(long address, long byteSize) {
    var backing = backingAt(address);
    return backing == null
        ? NativeMemory.at(address, byteSize, Arena.global())
        : backing.from(address, byteSize);
  }

  /**
   * Memory at a physical address: at most {@code byteSize} bytes in one piece, or null if there is
   * none.
   */
  public @Nullable MemorySegment atPhysical(long physicalAddress, long byteSize) {
    var entry = physical.floorEntry(physicalAddress);
    if (entry == null || entry.getValue().range().end() <= physicalAddress) {
      return ownAtPhysical(physicalAddress, byteSize);
    }
    var range = entry.getValue().range();
    long offset = range.offsetOf(physicalAddress);
    return offset < 0
        ? null
        : entry.getValue().pages().asSlice(offset, Math.min(byteSize, range.together(offset)));
  }

  /** Looked up at each access: nothing keeps this memory but what its user promises. */
  private @Nullable MemorySegment ownAtPhysical(long physicalAddress, long byteSize) {
    long address = ownPages.virtualAddress(physicalAddress);
    if (address < 0 || !isOwn(address)) {
      return null;
    }
    long together = OwnPages.BLOCK - address % OwnPages.BLOCK;
    long reached = pinnable(address, Math.min(byteSize, together), true);
    return reached == 0 ? null : NativeMemory.at(address, reached, Arena.global());
  }

  /** The physical addresses of {@code count} pages from {@code address} on; -1 for none. */
  public long[] physicalAddresses(long address, int count) {
    var addresses = new long[count];
    OwnMemory own = null;
    for (int i = 0; i < count; i++) {
      long page = address + (long) i * pageSize;
      var mapping = at(page);
      if (mapping != null) {
        addresses[i] =
            mapping.backing() == null || page >= mapping.backing().presentEnd()
                ? -1
                : mapping.backing().physicalAddress(page);
        continue;
      }
      if (own == null) {
        own = OwnMemory.snapshot();
      }
      boolean present = isOwn(page) && own.reach(page, 1, false) > 0;
      addresses[i] = present ? ownPages.physicalAddress(page, this::newOwnBlock) : -1;
    }
    return addresses;
  }

  private long newOwnBlock() {
    long start = nextPhysicalAddress;
    nextPhysicalAddress += 2 * OwnPages.BLOCK;
    return start;
  }

  private void freeUnused() {
    for (var backing : List.copyOf(unmappedAndViewed)) {
      if (!backing.isViewed()) {
        unmappedAndViewed.remove(backing);
        end(backing);
      }
    }
  }

  private void freeIfUnused(Backing backing) {
    if (backing.isUsed() || !endings.containsKey(backing)) {
      return;
    }
    if (backing.isViewed()) {
      unmappedAndViewed.add(backing);
    } else {
      end(backing);
    }
  }

  private void end(Backing backing) {
    requireNonNull(endings.remove(backing)).run();
    quarantine.add(backing);
    quarantined += backing.byteSize();
    shortenQuarantine(LARGEST_QUARANTINE, LONGEST_QUARANTINE);
  }

  private void shortenQuarantine(long byteSize, int count) {
    while (quarantined > byteSize || quarantine.size() > count) {
      var backing = quarantine.remove();
      quarantined -= backing.byteSize();
      backings.remove(backing.address());
      backing.free();
    }
  }

  /** How many mappings there are of memory, or of BARs. */
  public int count(boolean ofMemory) {
    int count = 0;
    for (var mapping : mappings.values()) {
      if ((mapping.backing() != null) == ofMemory) {
        count++;
      }
    }
    return count;
  }
}
