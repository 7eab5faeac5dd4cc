// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct iommu_hwpt_alloc}: makes a hardware page table (HWPT). */
public final class IommuHwptAlloc {
  private static final Struct.Builder FIELDS = Struct.named("iommu_hwpt_alloc");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** IOMMU_HWPT_ALLOC_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The device it is made for. */
  public static final U32 DEV_ID = FIELDS.u32("dev_id");

  /** The IOAS that it translates. */
  public static final U32 PT_ID = FIELDS.u32("pt_id");

  /** The new HWPT, written by the kernel. */
  public static final U32 OUT_HWPT_ID = FIELDS.u32("out_hwpt_id");

  /** IOMMU_HWPT_DATA_NONE. */
  public static final U32 DATA_TYPE = FIELDS.unused32("__reserved").u32("data_type");

  /** In bytes. */
  public static final U32 DATA_LEN = FIELDS.u32("data_len");

  /** Process address of data for the driver. */
  public static final U64 DATA_UPTR = FIELDS.u64("data_uptr");

  /** The fault queue. */
  public static final U32 FAULT_ID = FIELDS.u32("fault_id");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused32("__reserved2").build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuHwptAlloc() {}
}
