package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * {@code VFIO_USER_REGION_READ} and {@code VFIO_USER_REGION_WRITE}, commands and replies: the data
 * follow in the reply to a read and in the command to write.
 */
public final class RegionAccess {
  /** Size of the message without what follows, in bytes. */
  public static final int SIZE = Header.SIZE + 16;

  private static final long OFFSET_OFFSET = Header.SIZE + 0;
  private static final long REGION_OFFSET = Header.SIZE + 8;
  private static final long COUNT_OFFSET = Header.SIZE + 12;

  private RegionAccess() {}

  /** Where in the region, in bytes. */
  public static long offset(MemorySegment message) {
    return message.get(Layouts.U64, OFFSET_OFFSET);
  }

  /** Writes {@code offset}. */
  public static void offset(MemorySegment message, long value) {
    message.set(Layouts.U64, OFFSET_OFFSET, value);
  }

  /** The index of the region. */
  public static int region(MemorySegment message) {
    return message.get(Layouts.U32, REGION_OFFSET);
  }

  /** Writes {@code region}. */
  public static void region(MemorySegment message, int value) {
    message.set(Layouts.U32, REGION_OFFSET, value);
  }

  /** How many bytes, as an unsigned number. */
  public static int count(MemorySegment message) {
    return message.get(Layouts.U32, COUNT_OFFSET);
  }

  /** Writes {@code count}. */
  public static void count(MemorySegment message, int value) {
    message.set(Layouts.U32, COUNT_OFFSET, value);
  }
}
