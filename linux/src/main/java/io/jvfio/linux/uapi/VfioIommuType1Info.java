// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_iommu_type1_info}: what a Type1 IOMMU can do. */
public final class VfioIommuType1Info {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_type1_info");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** VFIO_IOMMU_INFO_PGSIZES and VFIO_IOMMU_INFO_CAPS. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** A bit for each page size in bytes. */
  public static final U64 IOVA_PGSIZES = FIELDS.u64("iova_pgsizes");

  /** Start of the capability chain, from the start of this struct; 0 for none. */
  public static final U32 CAP_OFFSET = FIELDS.u32("cap_offset");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.padding(4).build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuType1Info() {}
}
