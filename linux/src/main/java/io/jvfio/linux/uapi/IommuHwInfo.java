// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Field.U8;

/** {@code struct iommu_hw_info}: what the IOMMU of a device can do. */
public final class IommuHwInfo {
  private static final Struct.Builder FIELDS = Struct.named("iommu_hw_info");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** Must be 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The device. */
  public static final U32 DEV_ID = FIELDS.u32("dev_id");

  /** Room for the driver's data; the kernel writes its size. */
  public static final U32 DATA_LEN = FIELDS.u32("data_len");

  /** Process address for the driver's data. */
  public static final U64 DATA_UPTR = FIELDS.u64("data_uptr");

  /** IOMMU_HW_INFO_TYPE_ number. */
  public static final U32 OUT_DATA_TYPE = FIELDS.u32("out_data_type");

  /** Width of a PASID in bits. */
  public static final U8 OUT_MAX_PASID_LOG2 = FIELDS.u8("out_max_pasid_log2");

  /** IOMMU_HW_CAP_ bits. */
  public static final U64 OUT_CAPABILITIES = FIELDS.padding(3).u64("out_capabilities");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuHwInfo() {}
}
