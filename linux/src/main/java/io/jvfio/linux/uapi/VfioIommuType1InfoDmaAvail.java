// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_iommu_type1_info_dma_avail}: Type1 capability: how many more mappings there
 * may be.
 */
public final class VfioIommuType1InfoDmaAvail {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_type1_info_dma_avail");

  /** Number of mappings. */
  public static final U32 AVAIL = FIELDS.nested("header", VfioInfoCapHeader.STRUCT).u32("avail");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuType1InfoDmaAvail() {}
}
