// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.IommuPlatform;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.TreeSet;

/**
 * A hardware page table: an address space in the form that an IOMMU reads, with a mark at each page
 * that a device has written if they are tracked. Source: {@code
 * drivers/iommu/iommufd/hw_pagetable.c}.
 */
final class Hwpt extends IommufdObject implements DmaTranslation {
  private static final int BITS = 8;

  private final HostProcess process;
  private final Ioas ioas;
  private final IommuPlatform.Paging platform;
  private final boolean canTrack;
  private final TreeSet<Long> dirty = new TreeSet<>(Long::compareUnsigned);
  private boolean automatic;
  private boolean tracks;

  /**
   * A new one, which the address space does not know yet.
   *
   * @param canTrack whether it can track dirty pages
   */
  Hwpt(HostProcess process, int id, Ioas ioas, IommuPlatform.Paging platform, boolean canTrack) {
    super(id);
    this.process = process;
    this.ioas = ioas;
    this.platform = platform;
    this.canTrack = canTrack;
    ioas.use();
  }

  @Override
  void destroy() {
    if (ioas.tables().contains(this)) {
      ioas.remove(this);
    }
    ioas.unuse();
  }

  Ioas ioas() {
    return ioas;
  }

  /** The IOMMU that reads it. */
  IommuPlatform.Paging platform() {
    return platform;
  }

  /** Whether the kernel made it, when a device was attached to the address space. */
  boolean isAutomatic() {
    return automatic;
  }

  void setAutomatic() {
    automatic = true;
  }

  /** Starts with no page dirty, or stops: 0, or a negated errno. */
  int track(boolean on) {
    if (!canTrack) {
      return Errno.EOPNOTSUPP.result();
    }
    if (on) {
      dirty.clear();
    }
    tracks = on;
    return 0;
  }

  /**
   * Sets a bit for each dirty page. Linux 6.12 has no error for what it cannot tell: it sets no
   * bits while pages are not tracked, nor for what comes after the first hole of a range, nor where
   * there is no memory for bits.
   *
   * @param bitPages what one bit stands for, in bytes
   * @param clears whether the pages are clean then
   * @return 0, or a negated errno
   */
  int dirtyPages(long iova, long byteSize, long bitPages, long bitmap, boolean clears) {
    if (byteSize == 0) {
      // Since Linux 6.12.117 at the latest; before, no bytes from address 0 on were all bytes.
      return Errno.EINVAL.result();
    }
    long last = iova + byteSize - 1;
    if (Long.compareUnsigned(last, iova) < 0) {
      return Errno.EOVERFLOW.result();
    }
    if (((iova | last + 1) & ioas.alignment() - 1) != 0
        || bitPages == 0
        || ((iova | last + 1) & bitPages - 1) != 0) {
      return Errno.EINVAL.result();
    }
    if (!canTrack) {
      return Errno.EOPNOTSUPP.result();
    }
    if (tracks) {
      for (var area : ioas.contiguous(iova, last)) {
        report(area, iova, last, Long.numberOfTrailingZeros(bitPages), bitmap, clears);
      }
    }
    return 0;
  }

  private void report(IoasArea area, long iova, long last, int shift, long bitmap, boolean clears) {
    long start = Long.compareUnsigned(area.iova(), iova) < 0 ? iova : area.iova();
    long end = Long.compareUnsigned(last, area.last()) < 0 ? last : area.last();
    long pageSize = process.pageSize();
    var found = dirty.subSet(start & -pageSize, true, end, true);
    for (long page : found) {
      long dirtyStart = Long.compareUnsigned(page, start) < 0 ? start : page;
      long lastBit = (dirtyStart + pageSize - 1 - iova) >>> shift;
      for (long bit = (dirtyStart - iova) >>> shift; bit <= lastBit; bit++) {
        set(bitmap + bit / BITS, 1 << bit % BITS);
      }
    }
    if (clears) {
      found.clear();
    }
  }

  private void set(long address, int bit) {
    try {
      var memory = process.memory().user(address, 1, true);
      memory.set(ValueLayout.JAVA_BYTE, 0, (byte) (memory.get(ValueLayout.JAVA_BYTE, 0) | bit));
    } catch (UserFault e) {
      // As the kernel does, which drops what it cannot write.
      return;
    }
  }

  /** A range is not mapped any more, and its entries with their marks are gone. */
  void forget(long iova, long last) {
    dirty.subSet(iova, true, last, true).clear();
  }

  @Override
  public MemorySegment reach(long iova, long byteSize, boolean write) throws DmaBlocked {
    var memory = ioas.reach(iova, byteSize, write);
    if (write && tracks) {
      long pageSize = process.pageSize();
      long last = iova + memory.byteSize() - 1;
      for (long page = iova & -pageSize; Long.compareUnsigned(page, last) <= 0; page += pageSize) {
        dirty.add(page);
      }
    }
    return memory;
  }
}
