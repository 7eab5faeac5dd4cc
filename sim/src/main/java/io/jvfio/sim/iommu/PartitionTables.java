// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import io.jvfio.sim.setup.IommuPlatform;

/**
 * Windows that a hypervisor makes, from Linux 6.11 on. A window that it refuses puts the device on
 * a list that nothing ever leaves, and whoever is on it gets no window any more: "poisoned". So
 * does a second dynamic window: of the two windows that a device can have, one is the default one.
 * Source: {@code arch/powerpc/platforms/pseries/iommu.c}.
 */
final class PartitionTables extends TableGroup {
  /** What a size helper answers for several levels, which there are not. */
  private static final long NO_TABLE_BYTES = 0xffff_ffffL;

  private final IommuPlatform.Partition platform;

  /**
   * Whether the device tree has {@code ibm,dma-window}. While it has, the default window cannot be
   * opened again, and without Dynamic DMA Windows nothing ever takes it away.
   */
  private boolean defaultWindowProperty = true;

  private boolean poisoned;

  PartitionTables(IommuPlatform.Partition platform) {
    super(
        platform.dynamicWindows()
            ? new Offer(
                platform.windowSize(),
                1L << DEFAULT_PAGE_SHIFT | platform.hypervisorPageSizes(),
                WINDOWS,
                1)
            // Without Dynamic DMA Windows the kernel leaves its own "asked already" mark there.
            : new Offer(platform.windowSize(), 1L << DEFAULT_PAGE_SHIFT, -1, 0));
    this.platform = platform;
  }

  @Override
  long tableBytes(int pageShift, long windowSize, int levels) {
    return Integer.compareUnsigned(levels, 1) > 0
        ? NO_TABLE_BYTES
        : flatTableBytes(pageShift, windowSize);
  }

  @Override
  Created createTable(int number, int pageShift, long windowSize, int levels) {
    if (Long.bitCount(windowSize) != 1 || Integer.compareUnsigned(levels, 1) > 0) {
      return Created.error(Errno.EINVAL.result());
    }
    if (poisoned) {
      return Created.error(Errno.ENODEV.result());
    }
    if (number == 0) {
      boolean isDefault = isDefault(pageShift, windowSize);
      if (hasDynamicWindow() && !(isDefault && defaultWindowProperty)) {
        return Created.error(Errno.EPERM.result());
      }
      if (isDefault && !defaultWindowProperty) {
        defaultWindowProperty = true;
        return install(number, 0, pageShift, windowSize);
      }
    }
    return createDynamic(number, pageShift, windowSize);
  }

  private Created createDynamic(int number, int pageShift, long windowSize) {
    if (!platform.dynamicWindows()) {
      poisoned = true;
      return Created.error(Errno.EINVAL.result());
    }
    long pages = windowSize >>> pageShift;
    if (pages == 0 || pages > platform.largestBlock()) {
      return Created.error(Errno.EINVAL.result());
    }
    // The hypervisor's own default window is never removed, so there is room for one more. It
    // counts a window's pages in 32 bits.
    if (hasDynamicWindow() || (int) pages == 0) {
      poisoned = true;
      return Created.error(Errno.ENODEV.result());
    }
    return install(number, platform.secondWindowStart(), pageShift, windowSize);
  }

  private Created install(int number, long start, int pageShift, long windowSize) {
    long bytes = flatTableBytes(pageShift, windowSize);
    var table = new TceTable(start, pageShift, windowSize, bytes, false);
    tables[number] = table;
    return Created.table(table);
  }

  private boolean isDefault(int pageShift, long windowSize) {
    return pageShift == DEFAULT_PAGE_SHIFT
        && Long.compareUnsigned(windowSize, platform.windowSize()) <= 0;
  }

  private boolean hasDynamicWindow() {
    var table = tables[0];
    return tables[1] != null || (table != null && !isDefault(table.pageShift(), table.size()));
  }

  @Override
  void unsetWindow(int number) {
    var table = tables[number];
    if (table == null) {
      return;
    }
    if (number == 0 && isDefault(table.pageShift(), table.size())) {
      defaultWindowProperty = false;
    }
    tables[number] = null;
  }

  @Override
  void takeOwnership() {
    if (platform.dynamicWindows()) {
      defaultWindowProperty = false;
    }
  }

  @Override
  void releaseOwnership() {
    tables[0] = null;
    tables[1] = null;
    defaultWindowProperty = true;
  }
}
