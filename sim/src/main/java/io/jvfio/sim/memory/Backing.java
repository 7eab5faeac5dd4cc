// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * The pages behind a mapping of memory. They outlive the mapping for as long as a device, or
 * somebody's segment, can still touch them.
 */
public final class Backing {
  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();
  private static final long SMALLEST_REAL_PAGE = 1 << 12;

  private final Arena arena;
  private final MemorySegment pages;
  private final long address;
  private final long pageSize;
  private final long present;
  private final PhysicalRange physical;
  private final long physicalOffset;
  private final boolean copied;
  private final List<MemorySegment.Scope> views = new ArrayList<>();
  private int mappings;
  private int pins;

  /**
   * Backing that ends with {@code arena}.
   *
   * @param pageSize the size of its pages: the kernel's, or that of its huge pages
   * @param present how many bytes there are memory; what follows is past the end of a file
   * @param physicalOffset where in {@code physical} it starts
   * @param copied whether a page is the process's own only after the first write
   */
  public Backing(
      Arena arena,
      MemorySegment pages,
      long pageSize,
      long present,
      PhysicalRange physical,
      long physicalOffset,
      boolean copied) {
    this.arena = arena;
    this.pages = pages;
    this.address = pages.address();
    this.pageSize = pageSize;
    this.present = present;
    this.physical = physical;
    this.physicalOffset = physicalOffset;
    this.copied = copied;
  }

  long address() {
    return address;
  }

  long end() {
    return address + pages.byteSize();
  }

  long byteSize() {
    return pages.byteSize();
  }

  /** The size of its pages in bytes. */
  long pageSize() {
    return pageSize;
  }

  /** The end of what is memory. */
  long presentEnd() {
    return address + present;
  }

  /** The physical address of the byte at {@code address}. */
  long physicalAddress(long address) {
    return physical.addressOf(physicalOffset + address - this.address);
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

  /** Keeps it; the pages from {@code from} to {@code to} are the process's own from now on. */
  void pin(long from, long to) {
    pins++;
    if (copied) {
      long last = Math.min(to, presentEnd());
      for (long at = Math.max(from, address); at < last; at += SMALLEST_REAL_PAGE) {
        // A write of what is there, which no write at the same time can get lost in.
        var _ = (int) WORD.getAndBitwiseOr(pages, at - address, 0);
      }
    }
  }

  void unpin() {
    // Below zero when memory was freed while it was mapped for DMA, and its address came here.
    pins = Math.max(0, pins - 1);
  }

  void viewedUntil(MemorySegment.Scope lifetime) {
    views.removeIf(scope -> !scope.isAlive());
    views.add(lifetime);
  }

  /** Whether it is mapped, or a device can touch it. */
  boolean isUsed() {
    return mappings > 0 || pins > 0;
  }

  /** Whether somebody's segment shows it. */
  boolean isViewed() {
    views.removeIf(scope -> !scope.isAlive());
    return !views.isEmpty();
  }

  /** Gives the pages back. */
  void free() {
    arena.close();
  }
}
