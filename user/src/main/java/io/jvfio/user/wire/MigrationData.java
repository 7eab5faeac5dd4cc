package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * {@code VFIO_USER_MIG_DATA_READ} and {@code VFIO_USER_MIG_DATA_WRITE}, commands and replies: the
 * data follow in the reply to a read and in the command to write.
 */
public final class MigrationData {
  /** Size of the message without what follows, in bytes. */
  public static final int SIZE = Header.SIZE + 8;

  private static final long ARGSZ_OFFSET = Header.SIZE + 0;
  private static final long SIZE_OFFSET = Header.SIZE + 4;

  private MigrationData() {}

  /**
   * The most bytes of payload that the sender takes as a reply; elsewhere the size of the payload.
   */
  public static int argsz(MemorySegment message) {
    return message.get(Layouts.U32, ARGSZ_OFFSET);
  }

  /** Writes {@code argsz}. */
  public static void argsz(MemorySegment message, int value) {
    message.set(Layouts.U32, ARGSZ_OFFSET, value);
  }

  /** How many bytes of data, as an unsigned number. */
  public static int size(MemorySegment message) {
    return message.get(Layouts.U32, SIZE_OFFSET);
  }

  /** Writes {@code size}. */
  public static void size(MemorySegment message, int value) {
    message.set(Layouts.U32, SIZE_OFFSET, value);
  }
}
