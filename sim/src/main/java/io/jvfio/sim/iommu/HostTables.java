// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.sim.setup.IommuPlatform;
import io.jvfio.sim.setup.KernelEra;
import org.jspecify.annotations.Nullable;

/**
 * The one window of a partition whose kernel makes no others: VFIO borrows the host's own table.
 * Before 5.19 it took the table as it was; from 6.4 to 6.10 it asks for one just like it. Source:
 * {@code drivers/vfio/vfio_iommu_spapr_tce.c} of 5.10; {@code arch/powerpc/kernel/iommu.c} of 6.4.
 */
final class HostTables extends TableGroup {
  private final KernelEra era;
  private final TceTable host;

  HostTables(IommuPlatform.Partition platform, KernelEra era) {
    super(new Offer(platform.windowSize(), 1L << DEFAULT_PAGE_SHIFT, 0, 0));
    this.era = era;
    long bytes =
        era == KernelEra.LINUX_5_10 ? 0 : flatTableBytes(DEFAULT_PAGE_SHIFT, platform.windowSize());
    this.host = new TceTable(0, DEFAULT_PAGE_SHIFT, platform.windowSize(), bytes, false);
    tables[0] = host;
  }

  @Override
  boolean hasOwnership() {
    return era != KernelEra.LINUX_5_10;
  }

  @Override
  @Nullable TceTable borrowedTable() {
    return era == KernelEra.LINUX_5_10 ? host : null;
  }

  @Override
  long tableBytes(int pageShift, long windowSize, int levels) {
    return flatTableBytes(pageShift, windowSize);
  }

  @Override
  Created createTable(int number, int pageShift, long windowSize, int levels) {
    // Only ever asked for the default window, which is this: version 2 is refused before.
    return Created.table(host);
  }

  @Override
  void unsetWindow(int number) {}
}
