// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct vfio_region_info}: one region of a device. */
public final class VfioRegionInfo {
  private static final Struct.Builder FIELDS = Struct.named("vfio_region_info");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** VFIO_REGION_INFO_FLAG_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The region asked about. */
  public static final U32 INDEX = FIELDS.u32("index");

  /** Start of the capability chain, from the start of this struct; 0 for none. */
  public static final U32 CAP_OFFSET = FIELDS.u32("cap_offset");

  /** Length in bytes; 0 when absent. */
  public static final U64 SIZE = FIELDS.u64("size");

  /** Where the region starts in the device file. */
  public static final U64 OFFSET = FIELDS.u64("offset");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioRegionInfo() {}
}
