// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U16;
import io.jvfio.linux.uapi.Struct;

/**
 * {@code VFIO_USER_VERSION}, command and reply: JSON may follow, with a final NUL; see {@link
 * Capabilities}.
 */
public final class VersionMessage {
  /** The major version that jvfio knows. */
  public static final int KNOWN_MAJOR = 0;

  /** The latest minor version that jvfio knows. */
  public static final int KNOWN_MINOR = 1;

  private static final Struct.Builder FIELDS = Struct.named("vfio_user_version", Header.SIZE);

  /** Versions of different majors do not understand each other. */
  public static final U16 MAJOR = FIELDS.u16("major");

  /** Versions of one major are compatible. */
  public static final U16 MINOR = FIELDS.u16("minor");

  /** The payload without what follows. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size of the message without what follows, in bytes. */
  public static final int BYTES = Header.SIZE + (int) STRUCT.byteSize();

  private VersionMessage() {}
}
