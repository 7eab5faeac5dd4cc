package io.jvfio;

import io.jvfio.linux.uapi.Vfio;
import java.lang.foreign.MemorySegment;

/** sPAPR TCE version 1: one window, charged whole at ENABLE, memory pinned by each MAP. */
final class SpaprV1Space extends SpaprSpace {

  SpaprV1Space(OpenContainer container) {
    super(IommuType.SPAPR_TCE, container);
  }

  @Override
  void accept(MemorySegment info) {
    // version 1 has nothing but the default window
  }

  @Override
  void enable() throws Refusal {
    check(
        Vfio.VFIO_IOMMU_ENABLE,
        container().containerFile().ioctl(Vfio.VFIO_IOMMU_ENABLE, 0),
        errno ->
            explanations()
                .memory(
                    errno,
                    defaultWindowSize(),
                    "sPAPR version 1, which charges its whole window at once"));
  }

  @Override
  boolean grow(long byteSize) {
    return false; // version 1 has one window
  }

  @Override
  void mapAt(long address, long iova, long byteSize) throws Refusal {
    mapTces(address, iova, byteSize);
  }

  @Override
  void unmapAt(long address, long iova, long byteSize) throws Refusal {
    unmapTces(iova, byteSize);
  }
}
