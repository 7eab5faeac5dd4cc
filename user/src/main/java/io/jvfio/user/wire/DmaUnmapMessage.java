package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * {@code VFIO_USER_DMA_UNMAP}, command and reply. With {@link #GET_DIRTY_BITMAP} a bitmap follows,
 * described by {@link DirtyBitmap}.
 */
public final class DmaUnmapMessage {
  /** Size of the message without what follows, in bytes. */
  public static final int SIZE = Header.SIZE + 24;

  /** Flag: which pages were written is wanted in the reply. */
  public static final int GET_DIRTY_BITMAP = 1;

  /** Flag: everything, whatever address and size say, which are 0. */
  public static final int ALL = 2;

  private static final long ARGSZ_OFFSET = Header.SIZE + 0;
  private static final long FLAGS_OFFSET = Header.SIZE + 4;
  private static final long ADDRESS_OFFSET = Header.SIZE + 8;
  private static final long SIZE_OFFSET = Header.SIZE + 16;

  private DmaUnmapMessage() {}

  /**
   * The most bytes of payload that the sender takes as a reply; in a reply, those that it takes.
   */
  public static int argsz(MemorySegment message) {
    return message.get(Layouts.U32, ARGSZ_OFFSET);
  }

  /** Writes {@code argsz}. */
  public static void argsz(MemorySegment message, int value) {
    message.set(Layouts.U32, ARGSZ_OFFSET, value);
  }

  /**
   * {@link #GET_DIRTY_BITMAP} and {@link #ALL}, which older versions of the protocol have, or 0.
   */
  public static int flags(MemorySegment message) {
    return message.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment message, int value) {
    message.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** The IO virtual address of the first byte. */
  public static long address(MemorySegment message) {
    return message.get(Layouts.U64, ADDRESS_OFFSET);
  }

  /** Writes {@code address}. */
  public static void address(MemorySegment message, long value) {
    message.set(Layouts.U64, ADDRESS_OFFSET, value);
  }

  /** In bytes. */
  public static long size(MemorySegment message) {
    return message.get(Layouts.U64, SIZE_OFFSET);
  }

  /** Writes {@code size}. */
  public static void size(MemorySegment message, long value) {
    message.set(Layouts.U64, SIZE_OFFSET, value);
  }
}
