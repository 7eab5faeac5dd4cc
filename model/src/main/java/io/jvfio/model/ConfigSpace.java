// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import io.jvfio.linux.uapi.PciRegs;

/**
 * PCI configuration space: its bytes, and which bits software can change. Source: PCI Local Bus
 * Specification 3.0, chapter 6; PCI Express Base Specification, chapter 7.
 *
 * <p>Not safe for use by several threads at once.
 */
public final class ConfigSpace {
  private final byte[] bytes;
  private final byte[] writable;

  /**
   * A zeroed space in which nothing can be changed.
   *
   * @param byteSize 256, or 4096 for PCI Express
   */
  public ConfigSpace(int byteSize) {
    if (byteSize != 256 && byteSize != 4096) {
      throw new IllegalArgumentException(
          "configuration space has 256 or 4096 bytes, not " + byteSize);
    }
    bytes = new byte[byteSize];
    writable = new byte[byteSize];
  }

  /** The length in bytes. */
  public int byteSize() {
    return bytes.length;
  }

  /** Reads a little-endian value of {@code width} bytes (1, 2 or 4). */
  public int read(int offset, int width) {
    int value = 0;
    for (int i = 0; i < width; i++) {
      value |= Byte.toUnsignedInt(bytes[offset + i]) << (8 * i);
    }
    return value;
  }

  /**
   * Writes a little-endian value of {@code width} bytes as software does: only writable bits
   * change.
   */
  public void write(int offset, int width, int value) {
    for (int i = 0; i < width; i++) {
      int mask = writable[offset + i];
      bytes[offset + i] = (byte) ((bytes[offset + i] & ~mask) | ((value >> (8 * i)) & mask));
    }
  }

  /** Sets a little-endian value of {@code width} bytes as the device does: every bit changes. */
  public ConfigSpace set(int offset, int width, int value) {
    for (int i = 0; i < width; i++) {
      bytes[offset + i] = (byte) (value >> (8 * i));
    }
    return this;
  }

  /** Lets software change the bits of {@code mask} in the {@code width} bytes at {@code offset}. */
  public ConfigSpace allowWrites(int offset, int width, int mask) {
    for (int i = 0; i < width; i++) {
      writable[offset + i] = (byte) (mask >> (8 * i));
    }
    return this;
  }

  @Override
  public String toString() {
    return "configuration space of %04x:%04x, %d bytes"
        .formatted(read(PciRegs.PCI_VENDOR_ID, 2), read(PciRegs.PCI_DEVICE_ID, 2), bytes.length);
  }
}
