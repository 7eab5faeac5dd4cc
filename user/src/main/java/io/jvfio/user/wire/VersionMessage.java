package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * {@code VFIO_USER_VERSION}, command and reply: JSON may follow, with a final NUL; see {@link
 * Capabilities}.
 */
public final class VersionMessage {
  /** Size of the message without what follows, in bytes. */
  public static final int SIZE = Header.SIZE + 4;

  /** The major version that jvfio knows. */
  public static final int MAJOR = 0;

  /** The latest minor version that jvfio knows. */
  public static final int MINOR = 1;

  private static final long MAJOR_OFFSET = Header.SIZE + 0;
  private static final long MINOR_OFFSET = Header.SIZE + 2;

  private VersionMessage() {}

  /** Versions of different majors do not understand each other. */
  public static int major(MemorySegment message) {
    return Short.toUnsignedInt(message.get(Layouts.U16, MAJOR_OFFSET));
  }

  /** Writes {@code major}. */
  public static void major(MemorySegment message, int value) {
    message.set(Layouts.U16, MAJOR_OFFSET, (short) value);
  }

  /** Versions of one major are compatible. */
  public static int minor(MemorySegment message) {
    return Short.toUnsignedInt(message.get(Layouts.U16, MINOR_OFFSET));
  }

  /** Writes {@code minor}. */
  public static void minor(MemorySegment message, int value) {
    message.set(Layouts.U16, MINOR_OFFSET, (short) value);
  }
}
