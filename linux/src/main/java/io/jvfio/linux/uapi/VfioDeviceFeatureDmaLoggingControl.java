// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/**
 * {@code struct vfio_device_feature_dma_logging_control}: feature: starts the log of what a device
 * writes.
 */
public final class VfioDeviceFeatureDmaLoggingControl {
  private static final Struct.Builder FIELDS =
      Struct.named("vfio_device_feature_dma_logging_control");

  /** The granule, in bytes. */
  public static final U64 PAGE_SIZE = FIELDS.u64("page_size");

  /** Number of ranges. */
  public static final U32 NUM_RANGES = FIELDS.u32("num_ranges");

  /** Zero. */
  public static final U32 RESERVED = FIELDS.u32("__reserved");

  /** Process address of an array of vfio_device_feature_dma_logging_range. */
  public static final U64 RANGES = FIELDS.u64("ranges");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceFeatureDmaLoggingControl() {}
}
