// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/**
 * {@code struct vfio_device_ioeventfd}: a write to a BAR that the kernel makes when an eventfd is
 * signalled.
 */
public final class VfioDeviceIoeventfd {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_ioeventfd");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** One VFIO_DEVICE_IOEVENTFD_ bit: the width. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** In the device file. */
  public static final U64 OFFSET = FIELDS.u64("offset");

  /** The value. */
  public static final U64 DATA = FIELDS.u64("data");

  /** The eventfd, or -1 to remove it. */
  public static final U32 FD = FIELDS.u32("fd");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.padding(4).build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceIoeventfd() {}
}
