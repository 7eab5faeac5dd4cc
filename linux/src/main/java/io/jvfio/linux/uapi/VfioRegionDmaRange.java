// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_region_dma_range}: a part of a region. */
public final class VfioRegionDmaRange {
  private static final Struct.Builder FIELDS = Struct.named("vfio_region_dma_range");

  /** In the region, in bytes. */
  public static final U64 OFFSET = FIELDS.u64("offset");

  /** In bytes. */
  public static final U64 LENGTH = FIELDS.u64("length");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioRegionDmaRange() {}
}
