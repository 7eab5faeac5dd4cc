// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/**
 * {@code struct vfio_iommu_type1_dirty_bitmap_get}: what follows {@link VfioIommuType1DirtyBitmap}
 * when it reads.
 */
public final class VfioIommuType1DirtyBitmapGet {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_type1_dirty_bitmap_get");

  /** The first IO virtual address. */
  public static final U64 IOVA = FIELDS.u64("iova");

  /** In bytes. */
  public static final U64 SIZE = FIELDS.u64("size");

  /** Bytes that one bit stands for. */
  public static final U64 BITMAP_PGSIZE = FIELDS.begin("bitmap").u64("pgsize");

  /** Of the bitmap, in bytes. */
  public static final U64 BITMAP_SIZE = FIELDS.u64("size");

  /** Process address of the bitmap. */
  public static final U64 BITMAP_DATA = FIELDS.u64("data");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.end().build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuType1DirtyBitmapGet() {}
}
