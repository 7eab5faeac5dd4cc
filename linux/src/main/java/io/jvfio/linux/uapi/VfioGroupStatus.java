// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct vfio_group_status}: what a group says of itself. */
public final class VfioGroupStatus {
  private static final Struct.Builder FIELDS = Struct.named("vfio_group_status");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** VFIO_GROUP_FLAGS_VIABLE and VFIO_GROUP_FLAGS_CONTAINER_SET. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioGroupStatus() {}
}
