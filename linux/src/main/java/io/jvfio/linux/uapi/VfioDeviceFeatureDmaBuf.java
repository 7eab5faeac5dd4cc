// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_device_feature_dma_buf}: head of the feature that gives parts of a region as a
 * dma-buf; {@link VfioRegionDmaRange}s follow.
 */
public final class VfioDeviceFeatureDmaBuf {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_feature_dma_buf");

  /** The region. */
  public static final U32 REGION_INDEX = FIELDS.u32("region_index");

  /** O_ flags of the dma-buf. */
  public static final U32 OPEN_FLAGS = FIELDS.u32("open_flags");

  /** Must be 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** Number of ranges. */
  public static final U32 NR_RANGES = FIELDS.u32("nr_ranges");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceFeatureDmaBuf() {}
}
