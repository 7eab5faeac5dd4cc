package io.jvfio.sim;

import io.jvfio.linux.Errno;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A machine's IOMMU, as data, and what the kernel makes of it. Methods and not switches over the
 * kinds: the first switch of a process costs more time than listing a host.
 */
sealed interface IommuPlatform {
  /** The name in {@code type} of a group. */
  String groupType();

  /** VFIO's drivers for it, in the order in which the kernel asks them. */
  List<IommuDriver> drivers(Host host);

  /** The sPAPR side of a new group, or null where there is none. */
  default @Nullable TableGroup tables(KernelEra era) {
    return null;
  }

  /** The name in {@code /sys/class/iommu} of what is before the device at {@code address}. */
  @Nullable String instanceFor(String address, KernelEra era);

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
    Paging(String instance, long pageSizes, long lastIova) {
      this(instance, pageSizes, lastIova, Errno.EINVAL);
    }

    @Override
    public List<IommuDriver> drivers(Host host) {
      var type1 = new Type1Driver(host, this);
      return host.hasNoIommuDriver() ? List.of(type1, new NoIommuDriver(host)) : List.of(type1);
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
      implements IommuPlatform {
    @Override
    public List<IommuDriver> drivers(Host host) {
      return List.of(new SpaprDriver(host));
    }

    @Override
    public @Nullable String instanceFor(String address, KernelEra era) {
      return hostBridge(address, era);
    }

    @Override
    public TableGroup tables(KernelEra era) {
      return new Ioda2Tables(this);
    }

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
   * @param largestBlock how many pages it says that it gives to one window
   * @param secondWindowStart where a window goes that it makes beside the default window
   */
  record Partition(
      long windowSize,
      boolean dynamicWindows,
      long hypervisorPageSizes,
      long largestBlock,
      long secondWindowStart)
      implements IommuPlatform {
    @Override
    public List<IommuDriver> drivers(Host host) {
      return List.of(new SpaprDriver(host));
    }

    @Override
    public @Nullable String instanceFor(String address, KernelEra era) {
      return hostBridge(address, era);
    }

    @Override
    public TableGroup tables(KernelEra era) {
      return era == KernelEra.LINUX_6_12 ? new PartitionTables(this) : new HostTables(this, era);
    }

    @Override
    public String groupType() {
      return "unknown";
    }
  }

  /** No IOMMU, and a kernel told to do without. */
  record None() implements IommuPlatform {
    @Override
    public List<IommuDriver> drivers(Host host) {
      // The kernel has Type1 too, which is asked and never chosen: it takes no group from here.
      return List.of(new Type1Driver(host, new Paging("", 0, 0)), new NoIommuDriver(host));
    }

    @Override
    public @Nullable String instanceFor(String address, KernelEra era) {
      return null;
    }

    @Override
    public String groupType() {
      return "unknown";
    }
  }

  /** On POWER each host bridge is an IOMMU, which kernels before 6.4 did not say. */
  private static @Nullable String hostBridge(String address, KernelEra era) {
    return era == KernelEra.LINUX_5_10 ? null : "iommu-phb" + address.substring(0, 4);
  }
}
