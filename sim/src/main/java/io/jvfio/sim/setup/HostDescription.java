// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.setup;

import io.jvfio.linux.Architecture;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The parts that a host is made of. All simulated hosts are values of this record; none has code of
 * its own.
 *
 * @param name as the user gives it
 * @param description one sentence: what it imitates and what it shows
 * @param release the kernel's release
 * @param platform the IOMMU and its knobs
 * @param groups the IOMMU groups, by id
 * @param functions the PCI functions, in ascending order of address
 * @param iommufd what there is to iommufd and to nodes of devices; null where the kernel has
 *     neither
 * @param recorded what was seen of the host that it is a recording of; null for one of the catalog
 */
public record HostDescription(
    String name,
    String description,
    Architecture architecture,
    int pageSize,
    KernelEra era,
    String release,
    IommuPlatform platform,
    List<Group> groups,
    List<Function> functions,
    @Nullable IommufdSupport iommufd,
    @Nullable RecordedFacts recorded) {

  /** A host of the catalog. */
  HostDescription(
      String name,
      String description,
      Architecture architecture,
      int pageSize,
      KernelEra era,
      String release,
      IommuPlatform platform,
      List<Group> groups,
      List<Function> functions,
      @Nullable IommufdSupport iommufd) {
    this(
        name,
        description,
        architecture,
        pageSize,
        era,
        release,
        platform,
        groups,
        functions,
        iommufd,
        null);
  }

  /** A host whose kernel has no iommufd. */
  HostDescription(
      String name,
      String description,
      Architecture architecture,
      int pageSize,
      KernelEra era,
      String release,
      IommuPlatform platform,
      List<Group> groups,
      List<Function> functions) {
    this(
        name, description, architecture, pageSize, era, release, platform, groups, functions, null);
  }

  /** Whether the kernel can do without an IOMMU, and was told to. */
  public boolean hasNoIommu() {
    return groups.stream().anyMatch(Group::isNoIommu);
  }

  /** What was seen of a function when its host was recorded, or null. */
  public RecordedFacts.@Nullable Device recordedDevice(String address) {
    return recorded == null ? null : recorded.devices().get(address);
  }

  /** The IOMMU if it is one that Type1 and iommufd drive, or null. */
  public IommuPlatform.@Nullable Paging paging() {
    return platform instanceof IommuPlatform.Paging paging ? paging : null;
  }

  /**
   * The description that iommufd gives of an Intel IOMMU.
   *
   * @param capabilities its capability register
   * @param extendedCapabilities its extended capability register
   */
  public record IommufdSupport(long capabilities, long extendedCapabilities) {
    /** In {@code extendedCapabilities}: scalable mode, with second-stage tables and dirty bits. */
    public static final long DIRTY_TRACKING = 1L << 43 | 1L << 45 | 1L << 46;
  }

  /**
   * An IOMMU group.
   *
   * @param id its number
   * @param name its name; null where the IOMMU driver gives none
   * @param reserved IOVA ranges that are not for use
   */
  public record Group(int id, @Nullable String name, List<Reserved> reserved) {
    /** The name of a group that VFIO makes of a device without an IOMMU. */
    public static final String NO_IOMMU = "vfio-noiommu";

    /** Whether it stands for a device that no IOMMU covers. */
    public boolean isNoIommu() {
      return NO_IOMMU.equals(name);
    }
  }

  /**
   * A range of IOVAs that is taken.
   *
   * @param last its last address
   * @param type as in {@code reserved_regions}
   */
  public record Reserved(long start, long last, String type) {
    /** Whether it limits what VFIO maps: relaxable ranges are for host drivers only. */
    public boolean limitsMapping() {
      return !type.equals("direct-relaxable");
    }
  }

  /**
   * A PCI function.
   *
   * @param parents addresses of the bridges above it, outermost first
   * @param classCode 24 bits
   * @param command the command register as firmware and kernel leave it
   * @param irq the interrupt line
   * @param group the id of its group, or -1
   * @param driver the driver that is bound to it, or null
   * @param serial the serial number of the NVMe controller that it is, or null for a function that
   *     has no model and only configuration space
   * @param bars where its BARs are
   * @param node its node below the root of the device tree, or null
   */
  public record Function(
      String address,
      List<String> parents,
      int vendor,
      int device,
      int classCode,
      int revision,
      int command,
      int irq,
      int group,
      @Nullable String driver,
      @Nullable String serial,
      List<BarPlace> bars,
      @Nullable String node) {
    /** Where it is below {@code /sys}: the bus of its outermost bridge, all bridges, itself. */
    public String path() {
      var top = parents.isEmpty() ? address : parents.getFirst();
      var path = new StringBuilder("devices/pci").append(top, 0, top.lastIndexOf(':')).append('/');
      for (var parent : parents) {
        path.append(parent).append('/');
      }
      return path.append(address).toString();
    }
  }

  /**
   * The place of a BAR.
   *
   * @param hostAddress its address on the processor's side
   * @param busAddress its address on the PCI bus
   * @param flags the kernel's resource flags
   */
  public record BarPlace(int bar, long hostAddress, long busAddress, long byteSize, long flags) {
    private static final long IORESOURCE_IO = 0x100;
    private static final long IORESOURCE_PREFETCH = 0x2000;
    private static final long IORESOURCE_MEM_64 = 0x10_0000;

    /** Whether it is of I/O ports. */
    public boolean hasPorts() {
      return (flags & IORESOURCE_IO) != 0;
    }

    /** Whether reads have no side effects. */
    public boolean isPrefetchable() {
      return (flags & IORESOURCE_PREFETCH) != 0;
    }

    /** Whether the kernel takes it for a 64-bit one. */
    public boolean isWide() {
      return (flags & IORESOURCE_MEM_64) != 0;
    }
  }
}
