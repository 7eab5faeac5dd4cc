// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.linux.uapi.Vfio.VFIO_EEH;
import static io.jvfio.linux.uapi.Vfio.VFIO_SPAPR_TCE_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_SPAPR_TCE_v2_IOMMU;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import java.util.Collection;

/**
 * The module {@code vfio_iommu_spapr_tce}. It claims both versions on every machine, whatever the
 * machine can do.
 */
final class SpaprDriver implements IommuDriver {
  private final HostProcess process;
  private final Collection<? extends IommuGroup> groups;

  SpaprDriver(HostProcess process, Collection<? extends IommuGroup> groups) {
    this.process = process;
    this.groups = groups;
  }

  @Override
  public int checkExtension(long extension) {
    if (extension == VFIO_EEH) {
      return hasErrorHandling() ? 1 : 0;
    }
    return extension == VFIO_SPAPR_TCE_IOMMU || extension == VFIO_SPAPR_TCE_v2_IOMMU ? 1 : 0;
  }

  private boolean hasErrorHandling() {
    for (var group : groups) {
      if (group.endpoint() != null) {
        return true;
      }
    }
    return false;
  }

  /** A feature is no type, though it is asked for in the same way. */
  @Override
  public int openError(long type) {
    return type == VFIO_EEH ? Errno.EINVAL.result() : 0;
  }

  @Override
  public Iommu open(long type) {
    return new SpaprIommu(process, this, type == VFIO_SPAPR_TCE_v2_IOMMU);
  }
}
