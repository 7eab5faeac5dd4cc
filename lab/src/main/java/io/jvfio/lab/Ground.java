// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.linux.uapi.Vfio.VFIO_SPAPR_TCE_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_SPAPR_TCE_v2_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1v2_IOMMU;

import java.util.List;

/**
 * What a generated sequence takes for granted of the machine it is for. A wrong guess makes no
 * sequence wrong, only less telling.
 *
 * @param types the IOMMU types that SET_IOMMU accepts
 * @param pageSize the processor's, in bytes
 * @param windowSize bytes of the default DMA window, 0 where there are no windows
 * @param hasIommufd whether there are iommufds and devices have nodes of their own
 */
record Ground(List<Integer> types, long pageSize, long windowSize, boolean hasIommufd) {
  private static final long GIB = 1 << 30;

  Ground {
    types = List.copyOf(types);
  }

  Ground(List<Integer> types, long pageSize, long windowSize) {
    this(types, pageSize, windowSize, false);
  }

  /** The ground of a lane, or of any other simulated host. */
  static Ground of(String lane) {
    return switch (lane) {
      case "pseries-5.10", "pseries-6.8" -> new Ground(List.of(VFIO_SPAPR_TCE_IOMMU), 0x1000, GIB);
      case "pseries-6.12", "pseries-6.12-noddw" ->
          new Ground(List.of(VFIO_SPAPR_TCE_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU), 0x1000, GIB);
      case "powernv-5.10" -> new Ground(List.of(VFIO_SPAPR_TCE_v2_IOMMU), 0x10000, 2 * GIB);
      case "powernv-6.12" ->
          new Ground(List.of(VFIO_SPAPR_TCE_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU), 0x10000, 2 * GIB);
      case "x86-6.12-iommufd" ->
          new Ground(List.of(VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU), 0x1000, 0, true);
      default -> new Ground(List.of(VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU), 0x1000, 0);
    };
  }

  static boolean isType1(int type) {
    return type == VFIO_TYPE1_IOMMU || type == VFIO_TYPE1v2_IOMMU;
  }

  static boolean isSpapr(int type) {
    return type == VFIO_SPAPR_TCE_IOMMU || type == VFIO_SPAPR_TCE_v2_IOMMU;
  }
}
