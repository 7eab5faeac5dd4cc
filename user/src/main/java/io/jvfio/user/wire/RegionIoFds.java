// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Struct;

/**
 * {@code VFIO_USER_DEVICE_GET_REGION_IO_FDS}, command and reply: in the reply {@link SubRegion}s
 * follow.
 */
public final class RegionIoFds {
  private static final Struct.Builder FIELDS = Struct.named("vfio_user_region_io_fds", Header.SIZE);

  /**
   * The most bytes of payload that the sender takes as a reply; in a reply, those that it needs.
   */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** Zero. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The index of the region. */
  public static final U32 INDEX = FIELDS.u32("index");

  /** How many parts follow. */
  public static final U32 COUNT = FIELDS.u32("count");

  /** The payload without what follows. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private RegionIoFds() {}
}
