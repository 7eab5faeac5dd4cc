package io.jvfio.sim;

/** A machine's IOMMU, as data. */
sealed interface IommuPlatform {
  /** The name in {@code type} of a group. */
  String groupType();

  /**
   * An IOMMU that Type1 drives.
   *
   * @param instance its name in {@code /sys/class/iommu}
   * @param pageSizes a bit for each page size in bytes
   * @param lastIova the last address it translates
   */
  record Paging(String instance, long pageSizes, long lastIova) implements IommuPlatform {
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
      implements IommuPlatform {
    @Override
    public String groupType() {
      return "unknown";
    }
  }

  /**
   * A partition, whose hypervisor programs the tables.
   *
   * @param windowSize size of the default window at 0
   * @param dynamicWindows whether there are Dynamic DMA Windows
   * @param hypervisorPageSizes what the hypervisor offers for them, a bit for each size in bytes
   * @param largestBlock how many pages it gives to one window
   * @param secondWindowStart where a window goes while another exists; the first goes to 0
   */
  record Partition(
      long windowSize,
      boolean dynamicWindows,
      long hypervisorPageSizes,
      long largestBlock,
      long secondWindowStart)
      implements IommuPlatform {
    @Override
    public String groupType() {
      return "unknown";
    }
  }

  /** No IOMMU, and a kernel told to do without. */
  record None() implements IommuPlatform {
    @Override
    public String groupType() {
      return "unknown";
    }
  }
}
