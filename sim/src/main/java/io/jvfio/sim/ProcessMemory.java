package io.jvfio.sim;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The address space of the process: anonymous memory, which has real addresses, and mapped BARs,
 * whose addresses are numbers that nothing dereferences.
 *
 * <p>Pages are pinned by address: a pinned page is not given back, so an address names the same
 * page for as long as it is pinned, mapped or not.
 */
final class ProcessMemory {
  /** Above what any processor's user space reaches, so it meets no real address. */
  private static final long FIRST_DEVICE_ADDRESS = 0x4000_0000_0000_0000L;

  private static final long FIRST_PHYSICAL_ADDRESS = 0x1_0000_0000L;

  /** What is together in physical memory, as transparent huge pages make it. */
  private static final long PHYSICAL_BLOCK = 2 << 20;

  private final int pageSize;
  private final LockedMemory lockedMemory;
  private final TreeMap<Long, Mapping> mappings = new TreeMap<>();
  private final TreeMap<Long, Backing> backings = new TreeMap<>();
  private final TreeMap<Long, Backing> physical = new TreeMap<>();
  private long nextDeviceAddress = FIRST_DEVICE_ADDRESS;
  private long nextPhysicalAddress = FIRST_PHYSICAL_ADDRESS;

  /**
   * A mapped range. Just one of {@code backing} and {@code bar} is there.
   *
   * @param barOffset where in the BAR the range starts
   */
  record Mapping(
      long start,
      long end,
      boolean writable,
      boolean locked,
      @Nullable Backing backing,
      @Nullable DeviceFile file,
      int bar,
      long barOffset) {

    Mapping part(long from, long to) {
      return new Mapping(
          from, to, writable, locked, backing, file, bar, barOffset + (from - start));
    }

    Mapping lock(boolean locked) {
      return new Mapping(start, end, writable, locked, backing, file, bar, barOffset);
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

  ProcessMemory(int pageSize, LockedMemory lockedMemory) {
    this.pageSize = pageSize;
    this.lockedMemory = lockedMemory;
  }

  /** Maps zeroed memory; a negated errno when there is none. */
  long mapAnonymous(long byteSize, int protection) {
    freeUnused();
    Backing backing;
    try {
      backing = new Backing(byteSize, pageSize, nextPhysicalAddress);
    } catch (OutOfMemoryError e) {
      return Errno.ENOMEM.result();
    }
    nextPhysicalAddress += (blocks(backing) + 1) * PHYSICAL_BLOCK;
    backings.put(backing.address(), backing);
    physical.put(backing.physicalAddress(), backing);
    boolean writable = (protection & Kernel.PROT_WRITE) != 0;
    add(new Mapping(backing.address(), backing.end(), writable, false, backing, null, 0, 0));
    return backing.address();
  }

  /** Maps a part of a BAR. */
  long mapBar(DeviceFile file, int bar, long barOffset, long byteSize, int protection) {
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
  int unmap(long address, long byteSize) {
    if (address % pageSize != 0 || byteSize <= 0) {
      return Errno.EINVAL.result();
    }
    long end = address + roundUp(byteSize);
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
    }
    freeUnused();
    return 0;
  }

  /** Locks the pages of a range, which are charged until they are unmapped. */
  int lock(long address, long byteSize) {
    long start = address & -pageSize;
    long end = roundUp(address + byteSize);
    long missing = 0;
    for (long at = start; at < end; ) {
      var mapping = at(at);
      if (mapping == null) {
        return Errno.ENOMEM.result();
      }
      long pieceEnd = Math.min(end, mapping.end());
      missing += mapping.locked() ? 0 : pieceEnd - at;
      at = pieceEnd;
    }
    if (!lockedMemory.charge(missing)) {
      return Errno.ENOMEM.result();
    }
    for (long at = start; at < end; ) {
      var mapping = requireNonNull(at(at));
      long pieceEnd = Math.min(end, mapping.end());
      if (!mapping.locked()) {
        lock(mapping, at, pieceEnd, true);
      }
      at = pieceEnd;
    }
    return 0;
  }

  /** Unlocks the pages of a range, locked or not. */
  int unlock(long address, long byteSize) {
    long end = roundUp(address + byteSize);
    for (long at = address & -pageSize; at < end; ) {
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
  void unmapAll() {
    for (var mapping : mappings.values().toArray(new Mapping[0])) {
      unmap(mapping.start(), mapping.end() - mapping.start());
    }
  }

  long roundUp(long byteSize) {
    return (byteSize + pageSize - 1) & -pageSize;
  }

  /** The mapping that has {@code address}, or null. */
  @Nullable Mapping at(long address) {
    var entry = mappings.floorEntry(address);
    return entry == null || entry.getValue().end() <= address ? null : entry.getValue();
  }

  /** Anonymous memory from {@code address} to the end of its mapping; empty if there is none. */
  MemorySegment mappedFrom(long address) {
    var mapping = at(address);
    return mapping == null || mapping.backing() == null
        ? MemorySegment.NULL
        : mapping.backing().from(address, mapping.end() - address);
  }

  /** A view of anonymous memory for the user, whose pages stay until {@code lifetime} ends. */
  MemorySegment view(long address, long byteSize, Arena lifetime) {
    if (byteSize <= 0 || pinnable(address, byteSize, false) < byteSize) {
      throw new IllegalArgumentException(
          "no anonymous memory of %d bytes is mapped at 0x%x".formatted(byteSize, address));
    }
    for (var backing : backings(address, byteSize)) {
      backing.viewedUntil(lifetime.scope());
    }
    return NativeMemory.at(address, byteSize, lifetime);
  }

  /**
   * How many bytes from {@code address} on are anonymous memory that a device may be given; those
   * that it writes must be writable.
   */
  long pinnable(long address, long byteSize, boolean write) {
    long reached = 0;
    while (reached < byteSize) {
      var mapping = at(address + reached);
      if (mapping == null || mapping.backing() == null || (write && !mapping.writable())) {
        break;
      }
      reached = mapping.end() - address;
    }
    return Math.min(reached, byteSize);
  }

  /** Keeps the pages of a range, all {@link #pinnable}, whatever happens to their mappings. */
  void pin(long address, long byteSize) {
    backings(address, byteSize).forEach(Backing::pin);
  }

  /** Undoes {@link #pin} of the same range. */
  void unpin(long address, long byteSize) {
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
  MemorySegment pinned(long address, long byteSize) {
    var entry = backings.floorEntry(address);
    if (entry == null || entry.getValue().end() <= address) {
      throw new AssertionError("no pinned memory at 0x%x".formatted(address));
    }
    return entry.getValue().from(address, byteSize);
  }

  /**
   * Memory at a physical address: at most {@code byteSize} bytes in one piece, or null if there is
   * none.
   */
  @Nullable MemorySegment atPhysical(long physicalAddress, long byteSize) {
    var entry = physical.floorEntry(physicalAddress);
    if (entry == null) {
      return null;
    }
    var backing = entry.getValue();
    long distance = physicalAddress - backing.physicalAddress();
    long block = blocks(backing) - 1 - distance / PHYSICAL_BLOCK;
    long inBlock = distance % PHYSICAL_BLOCK;
    long offset = block * PHYSICAL_BLOCK + inBlock;
    if (block < 0 || offset >= backing.byteSize()) {
      return null;
    }
    return backing.from(backing.address() + offset, Math.min(byteSize, PHYSICAL_BLOCK - inBlock));
  }

  /**
   * The physical address of a mapped page, or -1. Blocks that are neighbours in the address space
   * are none in physical memory, so a driver that takes them for such is found out.
   */
  long physicalAddress(long pageAddress) {
    var mapping = at(pageAddress);
    if (mapping == null || mapping.backing() == null) {
      return -1;
    }
    var backing = mapping.backing();
    long offset = pageAddress - backing.address();
    long block = blocks(backing) - 1 - offset / PHYSICAL_BLOCK;
    return backing.physicalAddress() + block * PHYSICAL_BLOCK + offset % PHYSICAL_BLOCK;
  }

  private static long blocks(Backing backing) {
    return (backing.byteSize() + PHYSICAL_BLOCK - 1) / PHYSICAL_BLOCK;
  }

  private void freeUnused() {
    List.copyOf(backings.values()).forEach(this::freeIfUnused);
  }

  private void freeIfUnused(Backing backing) {
    if (backing.freedIfUnused()) {
      backings.remove(backing.address());
      physical.remove(backing.physicalAddress());
    }
  }

  /** How many mappings there are of anonymous memory, or of BARs. */
  int count(boolean anonymous) {
    int count = 0;
    for (var mapping : mappings.values()) {
      if ((mapping.backing() != null) == anonymous) {
        count++;
      }
    }
    return count;
  }
}
