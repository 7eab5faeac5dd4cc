// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/**
 * {@code struct vfio_device_feature_dma_logging_report}: feature: reads and clears the log of what
 * a device wrote.
 */
public final class VfioDeviceFeatureDmaLoggingReport {
  private static final Struct.Builder FIELDS =
      Struct.named("vfio_device_feature_dma_logging_report");

  /** The first IO virtual address. */
  public static final U64 IOVA = FIELDS.u64("iova");

  /** In bytes. */
  public static final U64 LENGTH = FIELDS.u64("length");

  /** Bytes that one bit stands for. */
  public static final U64 PAGE_SIZE = FIELDS.u64("page_size");

  /** Process address of the bitmap. */
  public static final U64 BITMAP = FIELDS.u64("bitmap");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceFeatureDmaLoggingReport() {}
}
