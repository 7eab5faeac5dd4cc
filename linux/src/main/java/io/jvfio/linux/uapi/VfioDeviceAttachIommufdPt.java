// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct vfio_device_attach_iommufd_pt}: attaches a bound device to an IOAS or a HWPT. */
public final class VfioDeviceAttachIommufdPt {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_attach_iommufd_pt");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** Must be 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The IOAS or HWPT; the kernel writes the HWPT. */
  public static final U32 PT_ID = FIELDS.u32("pt_id");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceAttachIommufdPt() {}
}
