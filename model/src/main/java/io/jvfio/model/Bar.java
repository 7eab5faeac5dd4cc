// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

/**
 * A base address register of a device.
 *
 * @param index 0 to 5; a 64-bit BAR takes the next index too
 * @param byteSize a power of two: at least 16, for I/O ports 4 to 256
 * @param is64Bit whether it takes two registers
 * @param prefetchable whether reads have no side effects
 * @param hasPorts whether it is of I/O ports, and not of memory
 */
public record Bar(
    int index, long byteSize, boolean is64Bit, boolean prefetchable, boolean hasPorts) {
  private static final int LAST = 5;
  private static final int SMALLEST_MEMORY = 16;
  private static final int SMALLEST_PORTS = 4;
  private static final int LARGEST_PORTS = 256;

  /** Checks that there can be such a BAR. */
  public Bar {
    if (index < 0 || index > (is64Bit ? LAST - 1 : LAST)) {
      throw new IllegalArgumentException(
          "there is no %sBAR %d".formatted(is64Bit ? "64-bit " : "", index));
    }
    if (hasPorts && (is64Bit || prefetchable)) {
      throw new IllegalArgumentException(
          "BAR %d: I/O ports have 32-bit addresses and are not prefetchable".formatted(index));
    }
    boolean isInRange =
        hasPorts
            ? byteSize >= SMALLEST_PORTS && byteSize <= LARGEST_PORTS
            : byteSize >= SMALLEST_MEMORY && (is64Bit || byteSize <= 1L << 31);
    if (Long.bitCount(byteSize) != 1 || !isInRange) {
      throw new IllegalArgumentException(
          "BAR %d cannot have %d bytes: a power of two is wanted, %s"
              .formatted(
                  index,
                  byteSize,
                  hasPorts ? "4 to 256" : is64Bit ? "at least 16" : "16 to 2147483648"));
    }
  }

  /** A BAR of memory. */
  public Bar(int index, long byteSize, boolean is64Bit, boolean prefetchable) {
    this(index, byteSize, is64Bit, prefetchable, false);
  }

  /** A BAR of registers in memory, with an address of 32 bits. */
  public static Bar memory(int index, long byteSize) {
    return new Bar(index, byteSize, false, false, false);
  }

  /** A BAR of I/O ports. */
  public static Bar ports(int index, long byteSize) {
    return new Bar(index, byteSize, false, false, true);
  }
}
