package io.jvfio.user.wire;

import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What every message begins with. Source: "Header". */
public final class Header {
  /** Size in bytes. */
  public static final int SIZE = 16;

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

  /** A layout made for each access would be garbage of each message. */
  private static final ValueLayout.OfInt SIZE_ANYWHERE = Layouts.U32.withByteAlignment(1);

  private static final long ID_OFFSET = 0;
  private static final long COMMAND_OFFSET = 2;
  private static final long SIZE_OFFSET = 4;
  private static final long FLAGS_OFFSET = 8;
  private static final long ERROR_OFFSET = 12;

  private Header() {}

  /** What the sender calls the message: 0 to 65535. */
  public static int id(MemorySegment message) {
    return Short.toUnsignedInt(message.get(Layouts.U16, ID_OFFSET));
  }

  /** The number of the command: 0 to 65535. */
  public static int command(MemorySegment message) {
    return Short.toUnsignedInt(message.get(Layouts.U16, COMMAND_OFFSET));
  }

  /** The size of the message with its header, in bytes; the sender's word only. */
  public static long size(MemorySegment message) {
    return size(message, 0);
  }

  /** The same of a message that begins at {@code offset}, a multiple of 4 or not. */
  public static long size(MemorySegment messages, long offset) {
    return Integer.toUnsignedLong(messages.get(SIZE_ANYWHERE, offset + SIZE_OFFSET));
  }

  /** The type and the flags. */
  public static int flags(MemorySegment message) {
    return message.get(Layouts.U32, FLAGS_OFFSET);
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
    return message.get(Layouts.U32, ERROR_OFFSET);
  }

  /** Writes a whole header. */
  public static void write(
      MemorySegment message, int id, int command, long size, int flags, int error) {
    message.set(Layouts.U16, ID_OFFSET, (short) id);
    message.set(Layouts.U16, COMMAND_OFFSET, (short) command);
    message.set(Layouts.U32, SIZE_OFFSET, (int) size);
    message.set(Layouts.U32, FLAGS_OFFSET, flags);
    message.set(Layouts.U32, ERROR_OFFSET, error);
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
