// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct iommu_hwpt_set_dirty_tracking}: turns dirty tracking of a HWPT on or off. */
public final class IommuHwptSetDirtyTracking {
  private static final Struct.Builder FIELDS = Struct.named("iommu_hwpt_set_dirty_tracking");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** IOMMU_HWPT_DIRTY_TRACKING_ENABLE, or 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The HWPT. */
  public static final U32 HWPT_ID = FIELDS.u32("hwpt_id");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused32("__reserved").build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuHwptSetDirtyTracking() {}
}
