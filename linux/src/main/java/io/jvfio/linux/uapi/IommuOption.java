// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U16;
import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct iommu_option}: reads or sets an option of an iommufd or of one object. */
public final class IommuOption {
  private static final Struct.Builder FIELDS = Struct.named("iommu_option");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 SIZE = FIELDS.byteSize("size");

  /** IOMMU_OPTION_RLIMIT_MODE or IOMMU_OPTION_HUGE_PAGES. */
  public static final U32 OPTION_ID = FIELDS.u32("option_id");

  /** IOMMU_OPTION_OP_SET or IOMMU_OPTION_OP_GET. */
  public static final U16 OP = FIELDS.u16("op");

  /** The object; 0 for the iommufd itself. */
  public static final U32 OBJECT_ID = FIELDS.unused16("__reserved").u32("object_id");

  /** The value. */
  public static final U64 VAL64 = FIELDS.u64("val64");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IommuOption() {}
}
