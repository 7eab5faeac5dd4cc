package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * {@code struct vfio_user_bitmap}, which follows {@link DmaUnmapMessage} where a bitmap is asked
 * for; in the reply the bits follow it. Not in the present specification, but in what clients and
 * servers of before have.
 */
public final class DirtyBitmap {
  /** Size of the message up to the bits, in bytes. */
  public static final int SIZE = DmaUnmapMessage.SIZE + 16;

  private static final long PAGE_SIZE_OFFSET = DmaUnmapMessage.SIZE;
  private static final long BYTE_SIZE_OFFSET = DmaUnmapMessage.SIZE + 8;

  private DirtyBitmap() {}

  /** How many bytes of memory one bit stands for. */
  public static long pageSize(MemorySegment message) {
    return message.get(Layouts.U64, PAGE_SIZE_OFFSET);
  }

  /** Writes {@code pageSize}. */
  public static void pageSize(MemorySegment message, long value) {
    message.set(Layouts.U64, PAGE_SIZE_OFFSET, value);
  }

  /** How many bytes the bits take, a multiple of 8. */
  public static long byteSize(MemorySegment message) {
    return message.get(Layouts.U64, BYTE_SIZE_OFFSET);
  }

  /** Writes {@code byteSize}. */
  public static void byteSize(MemorySegment message, long value) {
    message.set(Layouts.U64, BYTE_SIZE_OFFSET, value);
  }
}
