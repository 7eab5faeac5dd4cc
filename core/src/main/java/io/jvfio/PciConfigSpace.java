// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * The configuration space of an open device. Offsets are in bytes and aligned to the width; values
 * are little-endian.
 */
public interface PciConfigSpace {
  /** The length in bytes: 256, or 4096 for PCI Express. */
  int byteSize();

  /** Reads the byte at {@code offset}, zero-extended. */
  int read8(int offset);

  /** Reads the 16-bit value at {@code offset}, zero-extended. */
  int read16(int offset);

  /** Reads the 32-bit value at {@code offset}. */
  int read32(int offset);

  /** Writes the byte at {@code offset}. */
  void write8(int offset, int value);

  /** Writes the 16-bit value at {@code offset}. */
  void write16(int offset, int value);

  /** Writes the 32-bit value at {@code offset}. */
  void write32(int offset, int value);
}
