// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1_NESTING_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1v2_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_UNMAP_ALL;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.setup.IommuPlatform;

/** The module {@code vfio_iommu_type1}, up to 6.12: it claims nesting and never has it. */
final class Type1Driver implements IommuDriver {
  private final HostProcess process;
  private final IommuPlatform.Paging platform;

  Type1Driver(HostProcess process, IommuPlatform.Paging platform) {
    this.process = process;
    this.platform = platform;
  }

  @Override
  public int checkExtension(long extension) {
    return extension == VFIO_TYPE1_IOMMU
            || extension == VFIO_TYPE1v2_IOMMU
            || extension == VFIO_TYPE1_NESTING_IOMMU
            || extension == VFIO_UNMAP_ALL
        ? 1
        : 0;
  }

  /** A feature is no type, though it is asked for in the same way. */
  @Override
  public int openError(long type) {
    return type == VFIO_UNMAP_ALL ? Errno.EINVAL.result() : 0;
  }

  @Override
  public Iommu open(long type) {
    return new Type1Iommu(
        process, this, platform, type != VFIO_TYPE1_IOMMU, type == VFIO_TYPE1_NESTING_IOMMU);
  }
}
