// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct vfio_device_detach_iommufd_pt}: detaches a bound device. */
public final class VfioDeviceDetachIommufdPt {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_detach_iommufd_pt");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** Must be 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceDetachIommufdPt() {}
}
