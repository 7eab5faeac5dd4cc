// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct iommu_ioas_copy}: maps in one IOAS what is mapped in another, sharing its pins. */
public final class IommuIoasCopy {
  private static final Struct.Builder FIELDS = Struct.named("iommu_ioas_copy");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** IOMMU_IOAS_MAP_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The IOAS to map in. */
  public static final U32 DST_IOAS_ID = FIELDS.u32("dst_ioas_id");

  /** The IOAS to copy from. */
  public static final U32 SRC_IOAS_ID = FIELDS.u32("src_ioas_id");

  /** In bytes. */
  public static final U64 LENGTH = FIELDS.u64("length");

  /** IO virtual address; written by the kernel unless it is fixed. */
  public static final U64 DST_IOVA = FIELDS.u64("dst_iova");

  /** IO virtual address of the source. */
  public static final U64 SRC_IOVA = FIELDS.u64("src_iova");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuIoasCopy() {}
}
