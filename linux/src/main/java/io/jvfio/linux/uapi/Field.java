// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * A field of a struct, which reads and writes it in memory. It is declared once, with {@link
 * Struct.Builder}, as a constant: a record in a constant is as good as its offset to a compiler.
 */
public sealed interface Field {
  /** The name in C. */
  String name();

  /** Where the field begins within the struct, in bytes. */
  long offset();

  /** Size in bytes: 1, 2, 4 or 8. */
  int byteSize();

  /** The same field of a struct that stands so many bytes further behind. */
  Field behind(long bytes);

  /** The value as an unsigned number, of a struct that begins at a place in a buffer. */
  long get(ByteBuffer bytes, int at);

  /** Writes the lowest bytes of a value into a struct that begins at a place in a buffer. */
  void put(ByteBuffer bytes, int at, long value);

  /** {@code __u8}. */
  record U8(String name, long offset) implements Field {
    @Override
    public int byteSize() {
      return Byte.BYTES;
    }

    /** The value in a struct. */
    public byte get(MemorySegment struct) {
      return struct.get(Layouts.U8, offset);
    }

    /** Writes the value into a struct. */
    public void set(MemorySegment struct, byte value) {
      struct.set(Layouts.U8, offset, value);
    }

    @Override
    public U8 behind(long bytes) {
      return new U8(name, offset + bytes);
    }

    @Override
    public long get(ByteBuffer bytes, int at) {
      return Byte.toUnsignedLong(bytes.get(at + (int) offset));
    }

    @Override
    public void put(ByteBuffer bytes, int at, long value) {
      bytes.put(at + (int) offset, (byte) value);
    }
  }

  /** {@code __u16}. */
  record U16(String name, long offset) implements Field {
    @Override
    public int byteSize() {
      return Short.BYTES;
    }

    /** The value in a struct. */
    public short get(MemorySegment struct) {
      return struct.get(Layouts.U16, offset);
    }

    /** Writes the value into a struct. */
    public void set(MemorySegment struct, short value) {
      struct.set(Layouts.U16, offset, value);
    }

    @Override
    public U16 behind(long bytes) {
      return new U16(name, offset + bytes);
    }

    @Override
    public long get(ByteBuffer bytes, int at) {
      return Short.toUnsignedLong(bytes.getShort(at + (int) offset));
    }

    @Override
    public void put(ByteBuffer bytes, int at, long value) {
      bytes.putShort(at + (int) offset, (short) value);
    }
  }

  /** {@code __s32} or {@code __u32}. */
  record U32(String name, long offset) implements Field {
    @Override
    public int byteSize() {
      return Integer.BYTES;
    }

    /** The value in a struct. */
    public int get(MemorySegment struct) {
      return struct.get(Layouts.U32, offset);
    }

    /** The value in a struct that begins {@code at} bytes into a segment. */
    public int get(MemorySegment segment, long at) {
      return segment.get(Layouts.U32, at + offset);
    }

    /** Writes the value into a struct. */
    public void set(MemorySegment struct, int value) {
      struct.set(Layouts.U32, offset, value);
    }

    /** Writes the value into a struct that begins {@code at} bytes into a segment. */
    public void set(MemorySegment segment, long at, int value) {
      segment.set(Layouts.U32, at + offset, value);
    }

    @Override
    public U32 behind(long bytes) {
      return new U32(name, offset + bytes);
    }

    @Override
    public long get(ByteBuffer bytes, int at) {
      return Integer.toUnsignedLong(bytes.getInt(at + (int) offset));
    }

    @Override
    public void put(ByteBuffer bytes, int at, long value) {
      bytes.putInt(at + (int) offset, (int) value);
    }
  }

  /** {@code __u64}. */
  record U64(String name, long offset) implements Field {
    @Override
    public int byteSize() {
      return Long.BYTES;
    }

    /** The value in a struct. */
    public long get(MemorySegment struct) {
      return struct.get(Layouts.U64, offset);
    }

    /** The value in a struct that begins {@code at} bytes into a segment. */
    public long get(MemorySegment segment, long at) {
      return segment.get(Layouts.U64, at + offset);
    }

    /** Writes the value into a struct. */
    public void set(MemorySegment struct, long value) {
      struct.set(Layouts.U64, offset, value);
    }

    /** Writes the value into a struct that begins {@code at} bytes into a segment. */
    public void set(MemorySegment segment, long at, long value) {
      segment.set(Layouts.U64, at + offset, value);
    }

    @Override
    public U64 behind(long bytes) {
      return new U64(name, offset + bytes);
    }

    @Override
    public long get(ByteBuffer bytes, int at) {
      return bytes.getLong(at + (int) offset);
    }

    @Override
    public void put(ByteBuffer bytes, int at, long value) {
      bytes.putLong(at + (int) offset, value);
    }
  }
}
