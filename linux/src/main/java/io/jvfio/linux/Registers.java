// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Loads and stores to device registers, whether mapped into this process or reached through the
 * kernel.
 *
 * <p>Unless they were made with another {@link RegisterOrder}, every access is one access of
 * exactly its width, never merged, split, or removed by the compiler, and in program order with the
 * other accesses of its thread to the same registers ("opaque"). Values are little-endian, as they
 * are on PCI, on every architecture. Offsets are in bytes and must be aligned to the width.
 *
 * <p>All methods may be called from any thread. They throw {@link IndexOutOfBoundsException}
 * outside of the registers, {@link IllegalArgumentException} for a misaligned offset and {@link
 * IllegalStateException} once closed.
 */
public interface Registers extends AutoCloseable {
  /** The length in bytes. */
  long byteSize();

  /** Reads the byte at {@code offset}. */
  byte read8(long offset);

  /** Reads the 16-bit value at {@code offset}. */
  short read16(long offset);

  /** Reads the 32-bit value at {@code offset}. */
  int read32(long offset);

  /** Reads the 64-bit value at {@code offset} in one access. */
  long read64(long offset);

  /** Writes the byte at {@code offset}. */
  void write8(long offset, byte value);

  /** Writes the 16-bit value at {@code offset}. */
  void write16(long offset, short value);

  /** Writes the 32-bit value at {@code offset}. */
  void write32(long offset, int value);

  /** Writes the 64-bit value at {@code offset} in one access. */
  void write64(long offset, long value);

  /**
   * Writes the 32-bit value at {@code offset} after every earlier load and store of this thread, to
   * memory that the device reads too: what a doorbell needs.
   */
  void write32Release(long offset, int value);

  /**
   * Copies registers to memory, in accesses of one width and ascending order. The bytes are in the
   * device's order.
   *
   * @param offset of the first register
   * @param target where to; its length, a multiple of the width, is how much
   * @param width of each access: 1, 2, 4 or 8 bytes
   * @throws IllegalArgumentException for another width or length, or a misaligned offset
   */
  default void copyTo(long offset, MemorySegment target, int width) {
    RegisterCopy.checkWidth(target.byteSize(), width);
    Objects.checkFromIndexSize(offset, target.byteSize(), byteSize());
    RegisterCopy.read(this, offset, target, width);
  }

  /**
   * Copies memory to registers, in accesses of one width and ascending order. The bytes are in the
   * device's order.
   *
   * @param offset of the first register
   * @param source where from; its length, a multiple of the width, is how much
   * @param width of each access: 1, 2, 4 or 8 bytes
   * @throws IllegalArgumentException for another width or length, or a misaligned offset
   */
  default void copyFrom(long offset, MemorySegment source, int width) {
    RegisterCopy.checkWidth(source.byteSize(), width);
    Objects.checkFromIndexSize(offset, source.byteSize(), byteSize());
    RegisterCopy.write(this, offset, source, width);
  }

  /** Ends all access through this object; idempotent. */
  @Override
  void close();
}
