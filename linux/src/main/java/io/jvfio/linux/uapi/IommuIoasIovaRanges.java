// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct iommu_ioas_iova_ranges}: the addresses that can be mapped in an IOAS. */
public final class IommuIoasIovaRanges {
  private static final Struct.Builder FIELDS = Struct.named("iommu_ioas_iova_ranges");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** The IOAS. */
  public static final U32 IOAS_ID = FIELDS.u32("ioas_id");

  /** Room in the array; the kernel writes how many ranges there are. */
  public static final U32 NUM_IOVAS = FIELDS.u32("num_iovas");

  /** Process address of an array of iommu_iova_range. */
  public static final U64 ALLOWED_IOVAS = FIELDS.unused32("__reserved").u64("allowed_iovas");

  /** In bytes, written by the kernel. */
  public static final U64 OUT_IOVA_ALIGNMENT = FIELDS.u64("out_iova_alignment");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuIoasIovaRanges() {}
}
