// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct iommu_hwpt_get_dirty_bitmap}: reads which pages of a HWPT were written. */
public final class IommuHwptGetDirtyBitmap {
  private static final Struct.Builder FIELDS = Struct.named("iommu_hwpt_get_dirty_bitmap");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** The HWPT. */
  public static final U32 HWPT_ID = FIELDS.u32("hwpt_id");

  /** IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR, or 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The first IO virtual address. */
  public static final U64 IOVA = FIELDS.unused32("__reserved").u64("iova");

  /** In bytes. */
  public static final U64 LENGTH = FIELDS.u64("length");

  /** Bytes that one bit stands for. */
  public static final U64 PAGE_SIZE = FIELDS.u64("page_size");

  /** Process address of the bitmap. */
  public static final U64 DATA = FIELDS.u64("data");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuHwptGetDirtyBitmap() {}
}
