// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import io.jvfio.sim.setup.IommuPlatform;

/**
 * Windows that the kernel itself programs into a PowerNV machine's host bridge. Source: {@code
 * arch/powerpc/platforms/powernv/pci-ioda.c}, {@code pci-ioda-tce.c}.
 */
final class Ioda2Tables extends TableGroup {
  private static final int MAX_LEVELS = 5;
  private static final int KERNEL_PAGE_SHIFT = 16;
  private static final int ADDRESS_BITS = 55;

  /** The first level is one piece of memory, and the kernel has none larger than 16 MiB. */
  private static final int LARGEST_PIECE_SHIFT = 24;

  private final IommuPlatform.Ioda2 platform;

  Ioda2Tables(IommuPlatform.Ioda2 platform) {
    super(new Offer(platform.windowSize(), platform.pageSizes(), WINDOWS, platform.maxLevels()));
    this.platform = platform;
  }

  @Override
  boolean hasErrorHandling() {
    return true;
  }

  @Override
  long tableBytes(int pageShift, long windowSize, int levels) {
    if (levels < 1 || levels > MAX_LEVELS || Long.bitCount(windowSize) != 1) {
      return 0;
    }
    int entriesShift = Long.numberOfTrailingZeros(windowSize) - pageShift;
    long levelBytes = 1L << levelShift(entriesShift, levels);
    long tableBytes = Math.max(0x1000, 1L << Math.max(0, entriesShift + 3));
    long bytes = 0;
    for (int level = levels; level > 0; level--) {
      bytes += (tableBytes + levelBytes - 1) & -levelBytes;
      tableBytes = Math.max((tableBytes / levelBytes) << 3, levelBytes);
    }
    // One for the hardware, one for the addresses that the user knows.
    return 2 * bytes;
  }

  private static int levelShift(int entriesShift, int levels) {
    return Math.max((entriesShift + levels - 1) / levels + 3, KERNEL_PAGE_SHIFT);
  }

  @Override
  Created createTable(int number, int pageShift, long windowSize, int levels) {
    int entriesShift = Long.numberOfTrailingZeros(windowSize) - pageShift;
    int levelShift = levelShift(entriesShift, levels);
    if ((levelShift - 3) * levels + pageShift >= ADDRESS_BITS) {
      return Created.error(Errno.EINVAL.result());
    }
    if (levelShift > LARGEST_PIECE_SHIFT) {
      return Created.error(Errno.ENOMEM.result());
    }
    long start = number == 0 ? 0 : platform.secondWindowStart();
    long size = Math.max(windowSize, 1L << (KERNEL_PAGE_SHIFT - 3 + pageShift));
    return Created.table(
        new TceTable(start, pageShift, size, tableBytes(pageShift, windowSize, levels), true));
  }

  @Override
  int setWindow(int number, TceTable table) {
    tables[number] = table;
    return 0;
  }

  @Override
  void unsetWindow(int number) {
    tables[number] = null;
  }
}
