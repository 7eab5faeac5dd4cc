// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Field.U16;
import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Struct;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What every message begins with. Source: "Header". */
public final class Header {
  /** Type: a command. */
  public static final int COMMAND = 0;

  /** Type: a reply. */
  public static final int REPLY = 1;

  /** The bits of the flags that are the type. */
  public static final int TYPE_MASK = 0xf;

  /** Flag of a command: no reply is wanted. */
  public static final int NO_REPLY = 0x10;

  /** Flag of a reply: the command failed. */
  public static final int ERROR = 0x20;

  private static final Struct.Builder FIELDS = Struct.named("vfio_user_header");

  /** What the sender calls the message. */
  public static final U16 ID = FIELDS.u16("msg_id");

  /** The number of the command. */
  public static final U16 NUMBER = FIELDS.u16("cmd");

  /** The size of the message with its header, in bytes. */
  public static final U32 MESSAGE_SIZE = FIELDS.u32("msg_size");

  /** The type and the flags. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The errno of a reply to a command that failed. */
  public static final U32 ERRNO = FIELDS.u32("error_no");

  /** The header. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final int SIZE = (int) STRUCT.byteSize();

  /** A layout made for each access would be garbage of each message. */
  private static final ValueLayout.OfInt ANYWHERE = Layouts.U32.withByteAlignment(1);

  private Header() {}

  /** What the sender calls the message: 0 to 65535. */
  public static int id(MemorySegment message) {
    return Short.toUnsignedInt(ID.get(message));
  }

  /** The number of the command: 0 to 65535. */
  public static int command(MemorySegment message) {
    return Short.toUnsignedInt(NUMBER.get(message));
  }

  /** The size of the message with its header, in bytes; the sender's word only. */
  public static long size(MemorySegment message) {
    return size(message, 0);
  }

  /** The same of a message that begins at {@code offset}, a multiple of 4 or not. */
  public static long size(MemorySegment messages, long offset) {
    return Integer.toUnsignedLong(messages.get(ANYWHERE, offset + MESSAGE_SIZE.offset()));
  }

  /** The type and the flags. */
  public static int flags(MemorySegment message) {
    return FLAGS.get(message);
  }

  /** Whether it is a command. */
  public static boolean isCommand(MemorySegment message) {
    return (flags(message) & TYPE_MASK) == COMMAND;
  }

  /** Whether it is a reply. */
  public static boolean isReply(MemorySegment message) {
    return (flags(message) & TYPE_MASK) == REPLY;
  }

  /** Whether it is a command whose sender wants no reply. */
  public static boolean wantsNoReply(MemorySegment message) {
    return (flags(message) & NO_REPLY) != 0;
  }

  /** Whether it is the reply to a command that failed. */
  public static boolean isError(MemorySegment message) {
    return (flags(message) & ERROR) != 0;
  }

  /** The errno of a reply to a command that failed; 0 where the server gave none. */
  public static int error(MemorySegment message) {
    return ERRNO.get(message);
  }

  /** Writes a whole header. */
  public static void write(
      MemorySegment message, int id, int command, long size, int flags, int error) {
    ID.set(message, (short) id);
    NUMBER.set(message, (short) command);
    MESSAGE_SIZE.set(message, (int) size);
    FLAGS.set(message, flags);
    ERRNO.set(message, error);
  }

  /** Writes the header of a command. */
  public static void writeCommand(MemorySegment message, int id, Command command, long size) {
    write(message, id, command.number(), size, COMMAND, 0);
  }

  /** Writes the header of the reply to a command that was carried out. */
  public static void writeReply(MemorySegment message, int id, int command, long size) {
    write(message, id, command, size, REPLY, 0);
  }

  /** Writes the reply to a command that failed, which is a header and nothing else. */
  public static void writeError(MemorySegment message, int id, int command, int errno) {
    write(message, id, command, SIZE, REPLY | ERROR, errno);
  }
}
