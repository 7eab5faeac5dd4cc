// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static io.jvfio.linux.uapi.LittleEndian.LE16_UNALIGNED;
import static io.jvfio.linux.uapi.LittleEndian.LE32_UNALIGNED;
import static io.jvfio.linux.uapi.LittleEndian.LE64_UNALIGNED;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import java.lang.foreign.MemorySegment;

/** Copies between registers and memory. The memory need not be aligned. */
final class RegisterCopy {
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
          to.set(LE8, at, from.read8(offset + at));
        }
      }
      case 2 -> {
        for (long at = 0; at < size; at += 2) {
          to.set(LE16_UNALIGNED, at, from.read16(offset + at));
        }
      }
      case 4 -> {
        for (long at = 0; at < size; at += 4) {
          to.set(LE32_UNALIGNED, at, from.read32(offset + at));
        }
      }
      default -> {
        for (long at = 0; at < size; at += 8) {
          to.set(LE64_UNALIGNED, at, from.read64(offset + at));
        }
      }
    }
  }

  static void write(Registers to, long offset, MemorySegment from, int width) {
    long size = from.byteSize();
    switch (width) {
      case 1 -> {
        for (long at = 0; at < size; at++) {
          to.write8(offset + at, from.get(LE8, at));
        }
      }
      case 2 -> {
        for (long at = 0; at < size; at += 2) {
          to.write16(offset + at, from.get(LE16_UNALIGNED, at));
        }
      }
      case 4 -> {
        for (long at = 0; at < size; at += 4) {
          to.write32(offset + at, from.get(LE32_UNALIGNED, at));
        }
      }
      default -> {
        for (long at = 0; at < size; at += 8) {
          to.write64(offset + at, from.get(LE64_UNALIGNED, at));
        }
      }
    }
  }
}
