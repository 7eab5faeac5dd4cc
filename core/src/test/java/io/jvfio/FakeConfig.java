// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/** Configuration space of bytes that a test chose; reads outside of them fail the test. */
final class FakeConfig implements PciConfigSpace {
  private final byte[] bytes;
  int reads;

  FakeConfig(int byteSize) {
    this(new byte[byteSize]);
  }

  FakeConfig(byte[] bytes) {
    this.bytes = bytes;
  }

  FakeConfig set(int offset, int... values) {
    for (int i = 0; i < values.length; i++) {
      bytes[offset + i] = (byte) values[i];
    }
    return this;
  }

  private int read(int offset, int width) {
    reads++;
    if (offset % width != 0) {
      throw new IllegalArgumentException("offset " + offset + " is not aligned to " + width);
    }
    int value = 0;
    for (int i = 0; i < width; i++) {
      value |= Byte.toUnsignedInt(bytes[offset + i]) << (8 * i);
    }
    return value;
  }

  private void write(int offset, int width, int value) {
    for (int i = 0; i < width; i++) {
      bytes[offset + i] = (byte) (value >>> (8 * i));
    }
  }

  @Override
  public int byteSize() {
    return bytes.length;
  }

  @Override
  public int read8(int offset) {
    return read(offset, 1);
  }

  @Override
  public int read16(int offset) {
    return read(offset, 2);
  }

  @Override
  public int read32(int offset) {
    return read(offset, 4);
  }

  @Override
  public void write8(int offset, int value) {
    write(offset, 1, value);
  }

  @Override
  public void write16(int offset, int value) {
    write(offset, 2, value);
  }

  @Override
  public void write32(int offset, int value) {
    write(offset, 4, value);
  }
}
