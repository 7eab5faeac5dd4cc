// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_iommu_type1_info_cap_migration}: Type1 capability: dirty tracking. */
public final class VfioIommuType1InfoCapMigration {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_type1_info_cap_migration");

  /** None are known. */
  public static final U32 FLAGS = FIELDS.nested("header", VfioInfoCapHeader.STRUCT).u32("flags");

  /** Page sizes of a bitmap. */
  public static final U64 PGSIZE_BITMAP = FIELDS.padding(4).u64("pgsize_bitmap");

  /** In bytes. */
  public static final U64 MAX_DIRTY_BITMAP_SIZE = FIELDS.u64("max_dirty_bitmap_size");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuType1InfoCapMigration() {}
}
