// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Struct;

/**
 * {@code VFIO_USER_MIG_DATA_READ} and {@code VFIO_USER_MIG_DATA_WRITE}, commands and replies: the
 * data follow in the reply to a read and in the command to write.
 */
public final class MigrationData {
  private static final Struct.Builder FIELDS = Struct.named("vfio_user_mig_data", Header.SIZE);

  /**
   * The most bytes of payload that the sender takes as a reply; elsewhere the size of the payload.
   */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** How many bytes of data, as an unsigned number. */
  public static final U32 SIZE = FIELDS.u32("size");

  /** The payload without what follows. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private MigrationData() {}
}
