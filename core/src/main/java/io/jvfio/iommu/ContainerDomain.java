// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.DmaAccess;
import io.jvfio.DmaWindow;
import io.jvfio.IommuType;
import io.jvfio.kernel.OpenFile;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The domain of a container: Type1 and sPAPR map with the same two structs. */
abstract sealed class ContainerDomain extends IommuDomain
    permits Type1Domain, SpaprDomain, NoIommuDomain {
  private final OpenContainer container;
  private final List<DmaWindow> windows = new ArrayList<>();

  // Filled anew for each call, so that mapping allocates nothing.
  private final MemorySegment map = VfioIommuType1DmaMap.STRUCT.allocate(Arena.ofAuto());
  private final MemorySegment unmap = VfioIommuType1DmaUnmap.STRUCT.allocate(Arena.ofAuto());

  // What the structs hold: a comparison is cheaper than the checks of an access.
  private int mapFlags;
  private int unmapFlags;

  ContainerDomain(IommuType type, Locking locking, OpenContainer container) {
    super(type, locking, container.kernel(), container.explanations());
    this.container = container;
  }

  final OpenContainer container() {
    return container;
  }

  @Override
  final OpenFile file() {
    return container.containerFile();
  }

  @Override
  public final List<DmaWindow> windows() {
    return windows;
  }

  @Override
  public void map(MemorySegment memory, long address, long iova, long byteSize, DmaAccess access)
      throws Refusal {
    int result = mapDma(address, iova, byteSize, flags(access));
    if (result != 0) {
      throw refusal(
          Vfio.VFIO_IOMMU_MAP_DMA,
          result,
          errno -> explanations().memory(errno, byteSize, "a mapping of this size"));
    }
  }

  final int mapDma(long address, long iova, long byteSize, int flags) {
    if (flags != mapFlags) {
      VfioIommuType1DmaMap.FLAGS.set(map, flags);
      mapFlags = flags;
    }
    VfioIommuType1DmaMap.VADDR.set(map, address);
    VfioIommuType1DmaMap.IOVA.set(map, iova);
    VfioIommuType1DmaMap.SIZE.set(map, byteSize);
    return file().ioctl(Vfio.VFIO_IOMMU_MAP_DMA, map);
  }

  final int unmapDma(long iova, long byteSize, int flags) {
    if (flags != unmapFlags) {
      VfioIommuType1DmaUnmap.FLAGS.set(unmap, flags);
      unmapFlags = flags;
    }
    VfioIommuType1DmaUnmap.IOVA.set(unmap, iova);
    VfioIommuType1DmaUnmap.SIZE.set(unmap, byteSize);
    return file().ioctl(Vfio.VFIO_IOMMU_UNMAP_DMA, unmap);
  }

  /** What the last {@link #unmapDma} says that it unmapped, in bytes; only Type1 says it. */
  final long unmappedBytes() {
    return VfioIommuType1DmaUnmap.SIZE.get(unmap);
  }

  private static int flags(DmaAccess access) {
    return (access.isReadable() ? Vfio.VFIO_DMA_MAP_FLAG_READ : 0)
        | (access.isWritable() ? Vfio.VFIO_DMA_MAP_FLAG_WRITE : 0);
  }
}
