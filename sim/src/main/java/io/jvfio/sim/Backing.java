package io.jvfio.sim;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The pages behind an anonymous mapping. They outlive the mapping for as long as a device, or
 * somebody's segment, can still touch them.
 */
final class Backing {
  private final Arena arena = Arena.ofShared();
  private final MemorySegment pages;
  private final long address;
  private final List<MemorySegment.Scope> views = new ArrayList<>();
  private final long physicalAddress;
  private int mappings;
  private int pins;

  Backing(long byteSize, int pageSize, long physicalAddress) {
    this.pages = arena.allocate(byteSize, pageSize);
    this.address = pages.address();
    this.physicalAddress = physicalAddress;
  }

  long address() {
    return address;
  }

  long end() {
    return address + pages.byteSize();
  }

  /** The first of its physical addresses. */
  long physicalAddress() {
    return physicalAddress;
  }

  long byteSize() {
    return pages.byteSize();
  }

  /** From {@code address} on, at most {@code byteSize} bytes. */
  MemorySegment from(long address, long byteSize) {
    long offset = address - address();
    return pages.asSlice(offset, Math.min(byteSize, pages.byteSize() - offset));
  }

  void map() {
    mappings++;
  }

  void unmap() {
    mappings--;
  }

  void pin() {
    pins++;
  }

  void unpin() {
    pins--;
  }

  void viewedUntil(MemorySegment.Scope lifetime) {
    views.removeIf(scope -> !scope.isAlive());
    views.add(lifetime);
  }

  /** Gives the pages back unless something can still touch them. */
  boolean freedIfUnused() {
    if (mappings > 0 || pins > 0) {
      return false;
    }
    views.removeIf(scope -> !scope.isAlive());
    if (!views.isEmpty()) {
      return false;
    }
    arena.close();
    return true;
  }
}
