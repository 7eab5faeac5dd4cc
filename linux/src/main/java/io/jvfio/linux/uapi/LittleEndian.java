// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The fixed-width types of PCI and NVMe, which are little-endian on every machine. */
public final class LittleEndian {
  /** 8 bits. */
  public static final ValueLayout.OfByte LE8 = ValueLayout.JAVA_BYTE;

  /** 16 bits, aligned. */
  public static final ValueLayout.OfShort LE16 =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 32 bits, aligned. */
  public static final ValueLayout.OfInt LE32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 64 bits, aligned. */
  public static final ValueLayout.OfLong LE64 =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 16 bits at any address. */
  public static final ValueLayout.OfShort LE16_UNALIGNED =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 32 bits at any address. */
  public static final ValueLayout.OfInt LE32_UNALIGNED =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 64 bits at any address. */
  public static final ValueLayout.OfLong LE64_UNALIGNED =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private LittleEndian() {}

  /**
   * Reads an unsigned value at any address.
   *
   * @param width 1, 2, 4 or 8 bytes
   */
  public static long load(MemorySegment segment, long offset, int width) {
    return switch (width) {
      case 1 -> Byte.toUnsignedLong(segment.get(LE8, offset));
      case 2 -> Short.toUnsignedLong(segment.get(LE16_UNALIGNED, offset));
      case 4 -> Integer.toUnsignedLong(segment.get(LE32_UNALIGNED, offset));
      default -> segment.get(LE64_UNALIGNED, offset);
    };
  }

  /**
   * Writes the lower bytes of a value at any address.
   *
   * @param width 1, 2, 4 or 8 bytes
   */
  public static void store(MemorySegment segment, long offset, int width, long value) {
    switch (width) {
      case 1 -> segment.set(LE8, offset, (byte) value);
      case 2 -> segment.set(LE16_UNALIGNED, offset, (short) value);
      case 4 -> segment.set(LE32_UNALIGNED, offset, (int) value);
      default -> segment.set(LE64_UNALIGNED, offset, value);
    }
  }
}
