// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/**
 * {@code struct iommu_ioas_allow_iovas}: limits the addresses that automatic mapping may choose.
 */
public final class IommuIoasAllowIovas {
  private static final Struct.Builder FIELDS = Struct.named("iommu_ioas_allow_iovas");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** The IOAS. */
  public static final U32 IOAS_ID = FIELDS.u32("ioas_id");

  /** Number of ranges. */
  public static final U32 NUM_IOVAS = FIELDS.u32("num_iovas");

  /** Process address of an array of iommu_iova_range. */
  public static final U64 ALLOWED_IOVAS = FIELDS.unused32("__reserved").u64("allowed_iovas");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuIoasAllowIovas() {}
}
