// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/**
 * {@code struct vfio_iommu_spapr_tce_info}: the default window of a sPAPR container, and what other
 * windows it may have.
 */
public final class VfioIommuSpaprTceInfo {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_spapr_tce_info");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** VFIO_IOMMU_SPAPR_INFO_DDW. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** IOVA at which the default window starts. */
  public static final U32 DMA32_WINDOW_START = FIELDS.u32("dma32_window_start");

  /** In bytes. */
  public static final U32 DMA32_WINDOW_SIZE = FIELDS.u32("dma32_window_size");

  /** A bit for each page size in bytes. */
  public static final U64 PGSIZES = FIELDS.begin("ddw").u64("pgsizes");

  /** 0xffffffff where the hypervisor offers none. */
  public static final U32 MAX_DYNAMIC_WINDOWS_SUPPORTED =
      FIELDS.u32("max_dynamic_windows_supported");

  /** How many levels a table may have. */
  public static final U32 LEVELS = FIELDS.u32("levels");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.end().build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuSpaprTceInfo() {}
}
