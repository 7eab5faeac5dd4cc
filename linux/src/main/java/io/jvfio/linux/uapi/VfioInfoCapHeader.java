// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U16;
import io.jvfio.linux.uapi.Field.U32;

/** {@code struct vfio_info_cap_header}: the head of each entry of a capability chain. */
public final class VfioInfoCapHeader {
  private static final Struct.Builder FIELDS = Struct.named("vfio_info_cap_header");

  /** Which capability. */
  public static final U16 ID = FIELDS.u16("id");

  /** Its version. */
  public static final U16 VERSION = FIELDS.u16("version");

  /** The next entry, from the start of the info struct; 0 ends the chain. */
  public static final U32 NEXT = FIELDS.u32("next");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioInfoCapHeader() {}
}
