package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;

/**
 * The command {@code VFIO_USER_DMA_MAP}. A descriptor that comes with it lets the server map the
 * memory.
 */
public final class DmaMapMessage {
  /** Size of the message without what follows, in bytes. */
  public static final int SIZE = Header.SIZE + 32;

  /** Flag: the server may read the memory. */
  public static final int READABLE = 1;

  /** Flag: the server may write the memory. */
  public static final int WRITABLE = 2;

  /** Flag: the server is to map the descriptor, which must come with it. */
  public static final int MMAP = 4;

  /** Flag: the server is to read and write the descriptor, which must come with it. */
  public static final int FILE_IO = 8;

  private static final long ARGSZ_OFFSET = Header.SIZE + 0;
  private static final long FLAGS_OFFSET = Header.SIZE + 4;
  private static final long OFFSET_OFFSET = Header.SIZE + 8;
  private static final long ADDRESS_OFFSET = Header.SIZE + 16;
  private static final long SIZE_OFFSET = Header.SIZE + 24;

  private DmaMapMessage() {}

  /** Size of the struct, in bytes. */
  public static int argsz(MemorySegment message) {
    return message.get(Layouts.U32, ARGSZ_OFFSET);
  }

  /** Writes {@code argsz}. */
  public static void argsz(MemorySegment message, int value) {
    message.set(Layouts.U32, ARGSZ_OFFSET, value);
  }

  /** {@link #READABLE} and {@link #WRITABLE}; {@link #MMAP} or {@link #FILE_IO}. */
  public static int flags(MemorySegment message) {
    return message.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment message, int value) {
    message.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Where in the file the memory begins, in bytes; 0 without a descriptor. */
  public static long offset(MemorySegment message) {
    return message.get(Layouts.U64, OFFSET_OFFSET);
  }

  /** Writes {@code offset}. */
  public static void offset(MemorySegment message, long value) {
    message.set(Layouts.U64, OFFSET_OFFSET, value);
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
