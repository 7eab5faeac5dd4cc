// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.DmaWindow;
import io.jvfio.IommuType;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuSpaprTceInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The common part of both versions of sPAPR: the default 32-bit window, and UNMAP.
 *
 * <p>Only a result of exactly 0 is success: the kernel lets positive numbers out for some failures.
 * It checks only the first page of a mapping against the window, so we never ask for one that does
 * not fit. Source: {@code drivers/vfio/vfio_iommu_spapr_tce.c}.
 */
abstract sealed class SpaprDomain extends ContainerDomain permits SpaprV1Domain, SpaprV2Domain {
  /** The default window always has 4 KiB IOMMU pages. */
  static final long DEFAULT_WINDOW_PAGE = 4096;

  private long defaultWindowStart;
  private long defaultWindowSize;

  SpaprDomain(IommuType type, Locking locking, OpenContainer container) {
    super(type, locking, container);
  }

  /** Checks and keeps what is special to one version, before the default window is added. */
  abstract void accept(MemorySegment info) throws Refusal;

  @Override
  public final void describe() throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var info = VfioIommuSpaprTceInfo.STRUCT.allocate(arena);
      call(
          Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO,
          info,
          _ -> Explanations.senselessDescription("no description at all"));
      accept(info);
      defaultWindowStart =
          Integer.toUnsignedLong(VfioIommuSpaprTceInfo.DMA32_WINDOW_START.get(info));
      defaultWindowSize = Integer.toUnsignedLong(VfioIommuSpaprTceInfo.DMA32_WINDOW_SIZE.get(info));
      if (defaultWindowSize == 0) {
        throw Refusal.notAsked(
            Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO.name(),
            Explanations.senselessDescription("a default window of no size"));
      }
      windows().add(defaultWindow());
    }
  }

  /** The window that there is from the start. */
  public final DmaWindow defaultWindow() {
    return new DmaWindow(
        defaultWindowStart, defaultWindowStart + defaultWindowSize - 1, DEFAULT_WINDOW_PAGE);
  }

  @Override
  public final void unmap(long iova, long byteSize) throws Refusal {
    int result = unmapDma(iova, byteSize, 0);
    if (result != 0) {
      throw refusal(Vfio.VFIO_IOMMU_UNMAP_DMA, result, _ -> Explanations.unexpected());
    }
  }
}
