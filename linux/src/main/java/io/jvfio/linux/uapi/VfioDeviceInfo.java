// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct vfio_device_info}: how many regions and interrupts a device has. */
public final class VfioDeviceInfo {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_info");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** VFIO_DEVICE_FLAGS_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** One more than the highest region index. */
  public static final U32 NUM_REGIONS = FIELDS.u32("num_regions");

  /** One more than the highest interrupt index. */
  public static final U32 NUM_IRQS = FIELDS.u32("num_irqs");

  /** Start of the capability chain, from the start of this struct; 0 for none. */
  public static final U32 CAP_OFFSET = FIELDS.u32("cap_offset");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.padding(4).build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceInfo() {}
}
