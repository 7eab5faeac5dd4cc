// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_device_feature_dma_logging_range}: a range of addresses to log. */
public final class VfioDeviceFeatureDmaLoggingRange {
  private static final Struct.Builder FIELDS =
      Struct.named("vfio_device_feature_dma_logging_range");

  /** The first IO virtual address. */
  public static final U64 IOVA = FIELDS.u64("iova");

  /** In bytes. */
  public static final U64 LENGTH = FIELDS.u64("length");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceFeatureDmaLoggingRange() {}
}
