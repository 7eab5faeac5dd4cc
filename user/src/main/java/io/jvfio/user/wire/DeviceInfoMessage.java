// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Struct;

/**
 * {@code VFIO_USER_DEVICE_GET_INFO}, command and reply. The kernel's struct has grown a field
 * since, which the protocol does not have.
 */
public final class DeviceInfoMessage {
  private static final Struct.Builder FIELDS = Struct.named("vfio_user_device_info", Header.SIZE);

  /** The most bytes of payload that the sender takes; in a reply, those that it needs. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** {@code VFIO_DEVICE_FLAGS_} bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** How many regions the device has. */
  public static final U32 NUM_REGIONS = FIELDS.u32("num_regions");

  /** How many interrupt indexes the device has. */
  public static final U32 NUM_IRQS = FIELDS.u32("num_irqs");

  /** The payload. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private DeviceInfoMessage() {}
}
