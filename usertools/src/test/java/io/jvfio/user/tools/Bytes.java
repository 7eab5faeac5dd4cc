// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Messages of literal numbers, in the byte order of this machine. */
final class Bytes {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /** A command with id 1. */
  public static Bytes command(int number) {
    return header(1, number, 0, 0);
  }

  /** The reply to it. */
  public static Bytes reply(int number) {
    return header(1, number, 1, 0);
  }

  /** Any header; the length follows from what is put behind it. */
  public static Bytes header(int id, int number, int flags, int errno) {
    return new Bytes().u16(id).u16(number).u32(0).u32(flags).u32(errno);
  }

  public Bytes u16(int value) {
    out.writeBytes(
        ByteBuffer.allocate(2).order(ByteOrder.nativeOrder()).putShort((short) value).array());
    return this;
  }

  public Bytes u32(long value) {
    out.writeBytes(
        ByteBuffer.allocate(4).order(ByteOrder.nativeOrder()).putInt((int) value).array());
    return this;
  }

  public Bytes u64(long value) {
    out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(value).array());
    return this;
  }

  public Bytes bytes(int... values) {
    for (int value : values) {
      out.write(value);
    }
    return this;
  }

  public Bytes text(String text) {
    out.writeBytes(text.getBytes(StandardCharsets.UTF_8));
    return this;
  }

  /** The message, with its length in the header. */
  public byte[] message() {
    var bytes = out.toByteArray();
    ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).putInt(4, bytes.length);
    return bytes;
  }
}
