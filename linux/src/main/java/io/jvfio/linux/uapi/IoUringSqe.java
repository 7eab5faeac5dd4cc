package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/**
 * {@code struct io_uring_sqe}: an entry of the submission ring: one operation. What jvfio leaves
 * zero is padding here.
 */
public final class IoUringSqe {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U8.withName("opcode"),
              Layouts.U8.withName("flags"),
              Layouts.U16.withName("ioprio"),
              Layouts.U32.withName("fd"),
              Layouts.U64.withName("off"),
              Layouts.U64.withName("addr"),
              Layouts.U32.withName("len"),
              Layouts.U32.withName("rw_flags"),
              Layouts.U64.withName("user_data"),
              Layouts.U16.withName("buf_index"),
              Layouts.U16.withName("personality"),
              MemoryLayout.paddingLayout(20))
          .withName("io_uring_sqe");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long OPCODE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("opcode"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long FD_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("fd"));
  private static final long OFF_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("off"));
  private static final long ADDR_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("addr"));
  private static final long LEN_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("len"));
  private static final long RW_FLAGS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("rw_flags"));
  private static final long USER_DATA_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("user_data"));
  private static final long BUF_INDEX_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("buf_index"));

  private IoUringSqe() {}

  /** Writes {@code opcode}: the operation, an IORING_OP_ number. */
  public static void opcode(MemorySegment struct, byte value) {
    struct.set(Layouts.U8, OPCODE_OFFSET, value);
  }

  /** Writes {@code flags}: IOSQE_ bits. */
  public static void flags(MemorySegment struct, byte value) {
    struct.set(Layouts.U8, FLAGS_OFFSET, value);
  }

  /** Writes {@code fd}: the descriptor, or the index of a registered file. */
  public static void fd(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FD_OFFSET, value);
  }

  /** Writes {@code off}: the offset within the file. */
  public static void off(MemorySegment struct, long value) {
    struct.set(Layouts.U64, OFF_OFFSET, value);
  }

  /** Writes {@code addr}: the address of the memory or of its vectors. */
  public static void addr(MemorySegment struct, long value) {
    struct.set(Layouts.U64, ADDR_OFFSET, value);
  }

  /** Writes {@code len}: how many bytes or vectors. */
  public static void len(MemorySegment struct, int value) {
    struct.set(Layouts.U32, LEN_OFFSET, value);
  }

  /** Writes {@code rw_flags}: flags of the operation, under a name for each kind. */
  public static void rwFlags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, RW_FLAGS_OFFSET, value);
  }

  /** Writes {@code user_data}: what the completion carries. */
  public static void userData(MemorySegment struct, long value) {
    struct.set(Layouts.U64, USER_DATA_OFFSET, value);
  }

  /** Writes {@code buf_index}: the index of a registered buffer. */
  public static void bufIndex(MemorySegment struct, short value) {
    struct.set(Layouts.U16, BUF_INDEX_OFFSET, value);
  }
}
