// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.linux.uapi.Vfio.VFIO_NOIOMMU_IOMMU;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.setup.HostSettings;
import java.lang.foreign.MemorySegment;

/**
 * The kernel's stand-in for an IOMMU that is not there: devices reach physical memory, and a
 * container can do nothing. Source: {@code drivers/vfio/container.c}.
 */
final class NoIommuDriver implements IommuDriver, Iommu {
  private final HostProcess process;

  NoIommuDriver(HostProcess process) {
    this.process = process;
  }

  @Override
  public int checkExtension(long extension) {
    return extension == VFIO_NOIOMMU_IOMMU ? 1 : 0;
  }

  @Override
  public boolean isNoIommu() {
    return true;
  }

  @Override
  public int openError(long type) {
    return process.has(HostSettings.CAP_SYS_RAWIO) ? 0 : Errno.EPERM.result();
  }

  @Override
  public Iommu open(long type) {
    return this;
  }

  @Override
  public int attach(IommuGroup group) {
    return 0;
  }

  @Override
  public void detach(IommuGroup group) {}

  @Override
  public int ioctl(int command, UserArgument argument) {
    return Errno.ENOTTY.result();
  }

  @Override
  public void release() {}

  @Override
  public long mappedBytes() {
    return 0;
  }

  @Override
  public MemorySegment reach(long iova, long byteSize, boolean write) throws DmaBlocked {
    var memory = process.memory().atPhysical(iova, byteSize);
    if (memory == null) {
      throw new DmaBlocked(iova, "no memory at this physical address");
    }
    return memory;
  }
}
