// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_iommu_type1_dirty_bitmap}: starts, stops or reads dirty tracking of a Type1
 * container.
 */
public final class VfioIommuType1DirtyBitmap {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_type1_dirty_bitmap");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** One VFIO_IOMMU_DIRTY_PAGES_FLAG_ bit. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuType1DirtyBitmap() {}
}
