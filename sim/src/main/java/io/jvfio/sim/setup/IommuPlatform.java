// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.setup;

import io.jvfio.linux.Errno;
import org.jspecify.annotations.Nullable;

/**
 * A machine's IOMMU, as data. Methods and not switches over the kinds: the first switch of a
 * process costs more time than listing a host.
 */
public sealed interface IommuPlatform {
  /** The name in {@code type} of a group. */
  default String groupType() {
    return "unknown";
  }

  /**
   * The name in {@code /sys/class/iommu} of what is before the device at {@code address}, or null.
   * On POWER each host bridge is an IOMMU, which kernels before 6.4 did not say.
   */
  default @Nullable String instanceFor(String address, KernelEra era) {
    return era == KernelEra.LINUX_5_10 ? null : "iommu-phb" + address.substring(0, 4);
  }

  /**
   * An IOMMU that Type1 drives.
   *
   * @param instance its name in {@code /sys/class/iommu}
   * @param pageSizes a bit for each page size in bytes
   * @param lastIova the last address it translates
   * @param nestingError what its driver answers when Type1 asks it for nesting
   */
  record Paging(String instance, long pageSizes, long lastIova, Errno nestingError)
      implements IommuPlatform {
    /** One whose driver has no nesting. */
    public Paging(String instance, long pageSizes, long lastIova) {
      this(instance, pageSizes, lastIova, Errno.EINVAL);
    }

    @Override
    public String instanceFor(String address, KernelEra era) {
      return instance;
    }

    @Override
    public String groupType() {
      return "DMA";
    }
  }

  /**
   * A PowerNV machine, whose kernel programs IODA2 tables itself.
   *
   * @param windowSize size of the default 32-bit window
   * @param pageSizes a bit for each page size in bytes
   * @param maxLevels how many levels a table may have
   * @param secondWindowStart where window 1 is
   */
  record Ioda2(long windowSize, long pageSizes, int maxLevels, long secondWindowStart)
      implements IommuPlatform {}

  /**
   * A partition, whose hypervisor programs the tables.
   *
   * @param windowSize size of the default window at 0
   * @param dynamicWindows whether there are Dynamic DMA Windows
   * @param hypervisorPageSizes what the hypervisor offers for them, a bit for each size in bytes
   * @param largestBlock how many pages it says that it gives to one window
   * @param secondWindowStart where a window goes that it makes beside the default window
   */
  record Partition(
      long windowSize,
      boolean dynamicWindows,
      long hypervisorPageSizes,
      long largestBlock,
      long secondWindowStart)
      implements IommuPlatform {}

  /** No IOMMU, and a kernel told to do without. */
  record None() implements IommuPlatform {
    @Override
    public @Nullable String instanceFor(String address, KernelEra era) {
      return null;
    }
  }
}
