package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * {@code VFIO_USER_DMA_READ} and {@code VFIO_USER_DMA_WRITE}, commands and replies: the data follow
 * in the reply to a read and in the command to write.
 */
public final class DmaAccessMessage {
  /** Size of the message without what follows, in bytes. */
  public static final int SIZE = Header.SIZE + 16;

  private static final long ADDRESS_OFFSET = Header.SIZE + 0;
  private static final long COUNT_OFFSET = Header.SIZE + 8;

  private DmaAccessMessage() {}

  /** The IO virtual address of the first byte. */
  public static long address(MemorySegment message) {
    return message.get(Layouts.U64, ADDRESS_OFFSET);
  }

  /** Writes {@code address}. */
  public static void address(MemorySegment message, long value) {
    message.set(Layouts.U64, ADDRESS_OFFSET, value);
  }

  /** How many bytes. */
  public static long count(MemorySegment message) {
    return message.get(Layouts.U64, COUNT_OFFSET);
  }

  /** Writes {@code count}. */
  public static void count(MemorySegment message, long value) {
    message.set(Layouts.U64, COUNT_OFFSET, value);
  }
}
