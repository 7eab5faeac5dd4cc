// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.OpenFile;
import io.jvfio.sim.setup.IommuPlatform;
import io.jvfio.sim.setup.KernelEra;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The IOMMU of a host, its drivers, and what was opened to map memory through it. */
public final class HostIommu {
  private final HostProcess process;
  private final NoIommuDriver physicalMemory;
  private final List<IommuDriver> drivers;
  private final List<Iommufd> iommufds = new ArrayList<>();

  /**
   * The IOMMU that the host is described with.
   *
   * @param groups its groups, now and later
   */
  public HostIommu(HostProcess process, Collection<? extends IommuGroup> groups) {
    this.process = process;
    this.physicalMemory = new NoIommuDriver(process);
    this.drivers = process.settings().iommuDriverLoaded ? drivers(groups) : List.of();
  }

  /** VFIO's drivers for it, in the order in which the kernel asks them. */
  private List<IommuDriver> drivers(Collection<? extends IommuGroup> groups) {
    var paging = process.description().paging();
    boolean noIommu = process.description().hasNoIommu();
    if (paging == null && !noIommu) {
      return List.of(new SpaprDriver(process, groups));
    }
    // Without an IOMMU Type1 is asked too and never chosen: it takes no group from there.
    var type1 =
        new Type1Driver(process, paging == null ? new IommuPlatform.Paging("", 0, 0) : paging);
    return noIommu ? List.of(type1, physicalMemory) : List.of(type1);
  }

  /** The sPAPR side of a new group, or null where there is none. */
  public @Nullable TableGroup newTables() {
    var platform = process.description().platform();
    if (platform instanceof IommuPlatform.Ioda2 ioda2) {
      return new Ioda2Tables(ioda2);
    }
    if (platform instanceof IommuPlatform.Partition partition) {
      return process.era() == KernelEra.LINUX_6_12
          ? new PartitionTables(partition)
          : new HostTables(partition, process.era());
    }
    return null;
  }

  /** What a device reaches that no IOMMU covers. */
  public DmaTranslation physicalMemory() {
    return physicalMemory;
  }

  /** Opens {@code /dev/vfio/vfio}. */
  public OpenFile openContainer() {
    return new Container(process, drivers);
  }

  /** Opens {@code /dev/iommu}. */
  public OpenFile openIommufd() {
    return new Iommufd(process, iommufds);
  }

  /** Bytes that devices can reach through iommufds. */
  public long mappedByIommufds() {
    return iommufds.stream().mapToLong(Iommufd::mappedBytes).sum();
  }
}
