// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Struct;

/**
 * {@code VFIO_USER_REGION_READ} and {@code VFIO_USER_REGION_WRITE}, commands and replies: the data
 * follow in the reply to a read and in the command to write.
 */
public final class RegionAccess {
  private static final Struct.Builder FIELDS = Struct.named("vfio_user_region_access", Header.SIZE);

  /** Where in the region, in bytes. */
  public static final U64 OFFSET = FIELDS.u64("offset");

  /** The index of the region. */
  public static final U32 REGION = FIELDS.u32("region");

  /** How many bytes, as an unsigned number. */
  public static final U32 COUNT = FIELDS.u32("count");

  /** The payload without what follows. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private RegionAccess() {}
}
