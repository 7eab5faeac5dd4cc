// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_region_info_cap_sparse_mmap}: region capability: only parts of the region can
 * be mapped. A {@link VfioRegionSparseMmapArea} for each follows.
 */
public final class VfioRegionInfoCapSparseMmap {
  private static final Struct.Builder FIELDS = Struct.named("vfio_region_info_cap_sparse_mmap");

  /** How many areas follow. */
  public static final U32 NR_AREAS =
      FIELDS.nested("header", VfioInfoCapHeader.STRUCT).u32("nr_areas");

  /** Zero. */
  public static final U32 RESERVED = FIELDS.u32("reserved");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioRegionInfoCapSparseMmap() {}
}
