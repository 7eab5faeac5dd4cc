package io.jvfio;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuSpaprTceInfo;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What both versions of sPAPR share: the default 32-bit window, MAP and UNMAP.
 *
 * <p>Only a result of exactly 0 is success: the kernel lets positive numbers out for some failures.
 * It checks only the first page of a mapping against the window, so we never ask for one that does
 * not fit. Source: {@code drivers/vfio/vfio_iommu_spapr_tce.c}.
 */
abstract sealed class SpaprSpace extends IovaSpace permits SpaprV1Space, SpaprV2Space {
  /** The default window always has 4 KiB IOMMU pages. */
  private static final long DEFAULT_WINDOW_PAGE = 4096;

  private long defaultWindowSize;

  SpaprSpace(IommuType type, OpenContainer container) {
    super(type, container);
  }

  /** Checks and keeps what is special to one version, before the default window is added. */
  abstract void accept(MemorySegment info) throws Refusal;

  @Override
  final void describe() throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var info = VfioIommuSpaprTceInfo.allocate(arena);
      call(
          Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO,
          info,
          _ -> Explanations.senselessDescription("no description at all"));
      accept(info);
      long start = Integer.toUnsignedLong(VfioIommuSpaprTceInfo.dma32WindowStart(info));
      defaultWindowSize = Integer.toUnsignedLong(VfioIommuSpaprTceInfo.dma32WindowSize(info));
      if (defaultWindowSize == 0) {
        throw Refusal.notAsked(
            Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO.name(),
            Explanations.senselessDescription("a default window of no size"));
      }
      addWindow(new DmaWindow(start, start + defaultWindowSize - 1, DEFAULT_WINDOW_PAGE));
    }
  }

  /** Length of the default window in bytes. */
  final long defaultWindowSize() {
    return defaultWindowSize;
  }

  final void mapTces(long address, long iova, long byteSize) throws Refusal {
    if (windows().stream().noneMatch(window -> window.contains(iova, byteSize))) {
      throw new IllegalStateException(
          "a mapping of %,d bytes at 0x%x is outside of %s".formatted(byteSize, iova, windows()));
    }
    try (var arena = Arena.ofConfined()) {
      var map = VfioIommuType1DmaMap.allocate(arena);
      VfioIommuType1DmaMap.flags(map, Vfio.VFIO_DMA_MAP_FLAG_READ | Vfio.VFIO_DMA_MAP_FLAG_WRITE);
      VfioIommuType1DmaMap.vaddr(map, address);
      VfioIommuType1DmaMap.iova(map, iova);
      VfioIommuType1DmaMap.size(map, byteSize);
      call(
          Vfio.VFIO_IOMMU_MAP_DMA,
          map,
          errno -> explanations().memory(errno, byteSize, "a mapping of this size"));
    }
  }

  final void unmapTces(long iova, long byteSize) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var unmap = VfioIommuType1DmaUnmap.allocate(arena);
      VfioIommuType1DmaUnmap.iova(unmap, iova);
      VfioIommuType1DmaUnmap.size(unmap, byteSize);
      call(Vfio.VFIO_IOMMU_UNMAP_DMA, unmap, _ -> Explanations.unexpected());
    }
  }

  /** Says what an error of one call means. */
  @FunctionalInterface
  interface Explainer {
    Explanation explain(Errno errno);
  }

  final void call(Ioctl command, MemorySegment struct, Explainer explainer) throws Refusal {
    check(command, container().containerFile().ioctl(command, struct), explainer);
  }

  static void check(Ioctl command, int result, Explainer explainer) throws Refusal {
    if (result < 0) {
      throw Refusal.answered(command, result, explainer.explain(Errno.ofResult(result)));
    }
    if (result > 0) {
      throw Refusal.answered(command, result, Explanations.positiveResult(result));
    }
  }
}
