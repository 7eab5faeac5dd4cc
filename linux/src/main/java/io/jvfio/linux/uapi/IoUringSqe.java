// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U16;
import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;
import io.jvfio.linux.uapi.Field.U8;

/**
 * {@code struct io_uring_sqe}: an entry of the submission ring: one operation. What jvfio leaves
 * zero is padding here.
 */
public final class IoUringSqe {
  private static final Struct.Builder FIELDS = Struct.named("io_uring_sqe");

  /** The operation, an IORING_OP_ number. */
  public static final U8 OPCODE = FIELDS.u8("opcode");

  /** IOSQE_ bits. */
  public static final U8 FLAGS = FIELDS.u8("flags");

  /** The descriptor, or the index of a registered file. */
  public static final U32 FD = FIELDS.unused16("ioprio").u32("fd");

  /** The offset within the file. */
  public static final U64 OFF = FIELDS.u64("off");

  /** The address of the memory or of its vectors. */
  public static final U64 ADDR = FIELDS.u64("addr");

  /** How many bytes or vectors. */
  public static final U32 LEN = FIELDS.u32("len");

  /** Flags of the operation, under a name for each kind. */
  public static final U32 RW_FLAGS = FIELDS.u32("rw_flags");

  /** What the completion carries. */
  public static final U64 USER_DATA = FIELDS.u64("user_data");

  /** The index of a registered buffer. */
  public static final U16 BUF_INDEX = FIELDS.u16("buf_index");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused16("personality").padding(20).build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IoUringSqe() {}
}
