// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_device_feature_migration}: feature: what migration a device can do. */
public final class VfioDeviceFeatureMigration {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_feature_migration");

  /** VFIO_MIGRATION_ bits. */
  public static final U64 FLAGS = FIELDS.u64("flags");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceFeatureMigration() {}
}
