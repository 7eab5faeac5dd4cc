// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_iommu_spapr_tce_remove}: removes a DMA window. */
public final class VfioIommuSpaprTceRemove {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_spapr_tce_remove");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** None are defined. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** Any address within the window. */
  public static final U64 START_ADDR = FIELDS.u64("start_addr");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuSpaprTceRemove() {}
}
