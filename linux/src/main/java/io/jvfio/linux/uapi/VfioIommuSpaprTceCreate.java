// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_iommu_spapr_tce_create}: creates a DMA window. */
public final class VfioIommuSpaprTceCreate {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_spapr_tce_create");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** None are defined. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** Logarithm of the IOMMU page size. */
  public static final U32 PAGE_SHIFT = FIELDS.u32("page_shift");

  /** In bytes. */
  public static final U64 WINDOW_SIZE = FIELDS.padding(4).u64("window_size");

  /** Levels of the table. */
  public static final U32 LEVELS = FIELDS.u32("levels");

  /** Out: IOVA at which the window starts. */
  public static final U64 START_ADDR = FIELDS.padding(4).u64("start_addr");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuSpaprTceCreate() {}
}
