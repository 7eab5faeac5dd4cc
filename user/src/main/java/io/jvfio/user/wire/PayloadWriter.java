package io.jvfio.user.wire;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Puts bytes one behind the other, in the byte order of this machine: for messages that are to be
 * wrong, which the classes of the protocol do not make.
 */
public final class PayloadWriter {
  private static final int SHORT = 64;

  private ByteBuffer bytes = ByteBuffer.allocate(SHORT).order(ByteOrder.nativeOrder());

  private ByteBuffer room(int size) {
    if (bytes.remaining() < size) {
      var more = ByteBuffer.allocate(2 * bytes.capacity() + size).order(ByteOrder.nativeOrder());
      bytes = more.put(bytes.flip());
    }
    return bytes;
  }

  public PayloadWriter u16(int value) {
    room(Short.BYTES).putShort((short) value);
    return this;
  }

  public PayloadWriter u32(long value) {
    room(Integer.BYTES).putInt((int) value);
    return this;
  }

  public PayloadWriter u64(long value) {
    room(Long.BYTES).putLong(value);
    return this;
  }

  public PayloadWriter bytes(byte... values) {
    room(values.length).put(values);
    return this;
  }

  public PayloadWriter zeros(int count) {
    return bytes(new byte[count]);
  }

  public byte[] toBytes() {
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  /** A whole message. */
  public static byte[] message(int id, int command, int flags, byte[] payload) {
    return header(id, command, Header.SIZE + (long) payload.length, flags).bytes(payload).toBytes();
  }

  /** A header, whatever the size in it. */
  public static PayloadWriter header(int id, int command, long size, int flags) {
    return new PayloadWriter().u16(id).u16(command).u32(size).u32(flags).u32(0);
  }

  /** A reply to a command that failed. */
  public static byte[] error(int id, int command, int errno) {
    return new PayloadWriter()
        .u16(id)
        .u16(command)
        .u32(Header.SIZE)
        .u32(Header.REPLY | Header.ERROR)
        .u32(errno)
        .toBytes();
  }

  /** The payload of a command that asks what the device has. */
  public static byte[] deviceInfo(int argsz) {
    return new PayloadWriter().u32(argsz).zeros(12).toBytes();
  }

  /** The payload of a command that asks for a region. */
  public static byte[] regionInfo(int argsz, int index) {
    return new PayloadWriter().u32(argsz).u32(0).u32(index).zeros(20).toBytes();
  }

  /** The payload of a command that asks for an interrupt index. */
  public static byte[] irqInfo(int argsz, int index) {
    return new PayloadWriter().u32(argsz).u32(0).u32(index).u32(0).toBytes();
  }

  /** The payload of a command that reads a region, or writes it where data are put behind it. */
  public static PayloadWriter access(long offset, int region, int count) {
    return new PayloadWriter().u64(offset).u32(region).u32(count);
  }

  /** The payload of a command that sets interrupts. */
  public static byte[] setIrqs(int flags, int index, int start, int count, byte... data) {
    return new PayloadWriter()
        .u32(20 + data.length)
        .u32(flags)
        .u32(index)
        .u32(start)
        .u32(count)
        .bytes(data)
        .toBytes();
  }

  /** The payload of a command that maps memory. */
  public static byte[] map(int flags, long offset, long address, long size) {
    return new PayloadWriter().u32(32).u32(flags).u64(offset).u64(address).u64(size).toBytes();
  }

  /** The payload of a command that takes memory away. */
  public static byte[] unmap(int flags, long address, long size) {
    return new PayloadWriter().u32(24).u32(flags).u64(address).u64(size).toBytes();
  }

  /** The payload of a command that gets, sets or probes a feature. */
  public static byte[] feature(int argsz, int flags, byte... data) {
    return new PayloadWriter().u32(argsz).u32(flags).bytes(data).toBytes();
  }

  /** The payload of VERSION, with a text behind it. */
  public static byte[] version(int major, int minor, byte... text) {
    return new PayloadWriter().u16(major).u16(minor).bytes(text).toBytes();
  }
}
