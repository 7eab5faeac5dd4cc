package io.jvfio.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Copies between registers and memory. The memory need not be aligned. */
final class RegisterCopy {
  private static final ValueLayout.OfShort LE16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt LE32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LE64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private RegisterCopy() {}

  /** Refuses what accesses of one width cannot copy. */
  static void checkWidth(long byteSize, int width) {
    if (width != 1 && width != 2 && width != 4 && width != 8) {
      throw new IllegalArgumentException(
          "accesses of " + width + " bytes; there are those of 1, 2, 4 and 8");
    }
    if (byteSize % width != 0) {
      throw new IllegalArgumentException(
          "%d bytes are not copied in accesses of %d".formatted(byteSize, width));
    }
  }

  static void read(Registers from, long offset, MemorySegment to, int width) {
    long size = to.byteSize();
    switch (width) {
      case 1 -> {
        for (long at = 0; at < size; at++) {
          to.set(ValueLayout.JAVA_BYTE, at, from.read8(offset + at));
        }
      }
      case 2 -> {
        for (long at = 0; at < size; at += 2) {
          to.set(LE16, at, from.read16(offset + at));
        }
      }
      case 4 -> {
        for (long at = 0; at < size; at += 4) {
          to.set(LE32, at, from.read32(offset + at));
        }
      }
      default -> {
        for (long at = 0; at < size; at += 8) {
          to.set(LE64, at, from.read64(offset + at));
        }
      }
    }
  }

  static void write(Registers to, long offset, MemorySegment from, int width) {
    long size = from.byteSize();
    switch (width) {
      case 1 -> {
        for (long at = 0; at < size; at++) {
          to.write8(offset + at, from.get(ValueLayout.JAVA_BYTE, at));
        }
      }
      case 2 -> {
        for (long at = 0; at < size; at += 2) {
          to.write16(offset + at, from.get(LE16, at));
        }
      }
      case 4 -> {
        for (long at = 0; at < size; at += 4) {
          to.write32(offset + at, from.get(LE32, at));
        }
      }
      default -> {
        for (long at = 0; at < size; at += 8) {
          to.write64(offset + at, from.get(LE64, at));
        }
      }
    }
  }
}
