package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_NOIOMMU_IOMMU;

import io.jvfio.linux.Errno;
import java.lang.foreign.MemorySegment;

/**
 * The kernel's stand-in for an IOMMU that is not there: devices reach physical memory, and a
 * container can do nothing. Source: {@code drivers/vfio/container.c}.
 */
final class NoIommuDriver implements IommuDriver, Iommu {
  private final Host host;

  NoIommuDriver(Host host) {
    this.host = host;
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
    return host.options().has(Capability.SYS_RAWIO) ? 0 : Errno.EPERM.result();
  }

  @Override
  public Iommu open(long type) {
    return this;
  }

  @Override
  public int attach(VfioGroup group) {
    return 0;
  }

  @Override
  public void detach(VfioGroup group) {}

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
    var memory = host.memory().atPhysical(iova, byteSize);
    if (memory == null) {
      throw new DmaBlocked(iova, "no memory at this physical address");
    }
    return memory;
  }
}
