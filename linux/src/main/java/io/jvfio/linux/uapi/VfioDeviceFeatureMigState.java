// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct vfio_device_feature_mig_state}: feature: the migration state. */
public final class VfioDeviceFeatureMigState {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_feature_mig_state");

  /** One of VFIO_DEVICE_STATE_. */
  public static final U32 DEVICE_STATE = FIELDS.u32("device_state");

  /** The stream of device data that the new state opened, or -1. */
  public static final U32 DATA_FD = FIELDS.u32("data_fd");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceFeatureMigState() {}
}
