// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct vfio_device_feature}: head of a feature of a device; its data follows. */
public final class VfioDeviceFeature {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_feature");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** The feature and one of VFIO_DEVICE_FEATURE_GET, _SET, with _PROBE to ask only. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceFeature() {}
}
