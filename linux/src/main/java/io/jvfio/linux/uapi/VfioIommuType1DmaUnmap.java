// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_iommu_type1_dma_unmap}: unmaps what was mapped; Type1 and sPAPR. */
public final class VfioIommuType1DmaUnmap {
  private static final Struct.Builder FIELDS = Struct.named("vfio_iommu_type1_dma_unmap");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** VFIO_DMA_UNMAP_FLAG_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** IO virtual address. */
  public static final U64 IOVA = FIELDS.u64("iova");

  /** In bytes; Type1 writes back what it unmapped. */
  public static final U64 SIZE = FIELDS.u64("size");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIommuType1DmaUnmap() {}
}
