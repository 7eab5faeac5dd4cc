package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * {@code VFIO_USER_REGION_WRITE_MULTI}, command and reply: in the command entries follow, each a
 * write of at most 8 bytes.
 */
public final class WriteMulti {
  /** Size of the message without entries, in bytes. */
  public static final int SIZE = Header.SIZE + 8;

  /** Size of an entry, in bytes. */
  public static final int ENTRY_SIZE = 24;

  /** The most bytes that an entry writes. */
  public static final int MAX_COUNT = 8;

  private static final long COUNT_OFFSET = Header.SIZE;
  private static final long REGION_OFFSET = 8;
  private static final long BYTES_OFFSET = 12;
  private static final long DATA_OFFSET = 16;

  private WriteMulti() {}

  /** How many entries follow, or were carried out. */
  public static long count(MemorySegment message) {
    return message.get(Layouts.U64, COUNT_OFFSET);
  }

  /** Writes {@code count}. */
  public static void count(MemorySegment message, long value) {
    message.set(Layouts.U64, COUNT_OFFSET, value);
  }

  private static long entry(int index) {
    return SIZE + (long) index * ENTRY_SIZE;
  }

  /** Where in the region entry {@code index} writes, in bytes. */
  public static long offset(MemorySegment message, int index) {
    return message.get(Layouts.U64, entry(index));
  }

  /** The index of the region that entry {@code index} writes. */
  public static int region(MemorySegment message, int index) {
    return message.get(Layouts.U32, entry(index) + REGION_OFFSET);
  }

  /** How many bytes entry {@code index} writes, as an unsigned number. */
  public static int byteCount(MemorySegment message, int index) {
    return message.get(Layouts.U32, entry(index) + BYTES_OFFSET);
  }

  /** Where in the message the bytes of entry {@code index} are. */
  public static long dataOffset(int index) {
    return entry(index) + DATA_OFFSET;
  }

  /** Writes entry {@code index}, without its bytes. */
  public static void entry(
      MemorySegment message, int index, long offset, int region, int byteCount) {
    long at = entry(index);
    message.set(Layouts.U64, at, offset);
    message.set(Layouts.U32, at + REGION_OFFSET, region);
    message.set(Layouts.U32, at + BYTES_OFFSET, byteCount);
  }
}
