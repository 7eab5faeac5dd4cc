// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_iommu_type1_info_cap_iova_range}: head of the Type1 capability with the valid
 * ranges; {@link VfioIovaRange}s follow.
 */
public final class VfioIommuType1InfoCapIovaRange {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_type1_info_cap_iova_range");

  /** Number of ranges. */
  public static final U32 NR_IOVAS =
      FIELDS.nested("header", VfioInfoCapHeader.STRUCT).u32("nr_iovas");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused32("reserved").build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuType1InfoCapIovaRange() {}
}
