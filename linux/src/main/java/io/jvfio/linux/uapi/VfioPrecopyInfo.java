// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_precopy_info}: how much device data there is while the device still runs. */
public final class VfioPrecopyInfo {
  private static final Struct.Builder FIELDS = Struct.named("vfio_precopy_info");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** VFIO_PRECOPY_INFO_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** What the destination should have early. */
  public static final U64 INITIAL_BYTES = FIELDS.u64("initial_bytes");

  /** What changed since. */
  public static final U64 DIRTY_BYTES = FIELDS.u64("dirty_bytes");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioPrecopyInfo() {}
}
