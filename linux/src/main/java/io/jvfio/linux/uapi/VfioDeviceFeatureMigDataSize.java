// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/**
 * {@code struct vfio_device_feature_mig_data_size}: feature: how much data a migration would take.
 */
public final class VfioDeviceFeatureMigDataSize {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_feature_mig_data_size");

  /** In bytes. */
  public static final U64 STOP_COPY_LENGTH = FIELDS.u64("stop_copy_length");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceFeatureMigDataSize() {}
}
