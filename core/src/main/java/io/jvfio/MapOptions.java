// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.OptionalLong;

/**
 * The options of a mapping: its address, and the accesses that the device is allowed.
 *
 * @param access what the device may do
 * @param iova the address to map at; empty for a free one
 * @param alignment of a free address in bytes, a power of two; the page size of the window applies
 *     in any case
 * @param highest the last address that the device can reach, compared as an unsigned number
 */
public record MapOptions(DmaAccess access, OptionalLong iova, long alignment, long highest) {
  private static final MapOptions ANYWHERE =
      new MapOptions(DmaAccess.READ_WRITE, OptionalLong.empty(), 1, -1);

  /**
   * Checks the alignment.
   *
   * @throws IllegalArgumentException if the alignment is no power of two
   */
  public MapOptions {
    if (Long.bitCount(alignment) != 1) {
      throw new IllegalArgumentException(
          "an alignment is a power of two, not 0x" + Long.toHexString(alignment));
    }
  }

  /** Options for any free address, for reading and writing. */
  public static MapOptions anywhere() {
    return ANYWHERE;
  }

  /** Options for the address {@code iova}, for reading and writing. */
  public static MapOptions at(long iova) {
    return new MapOptions(DmaAccess.READ_WRITE, OptionalLong.of(iova), 1, -1);
  }

  /** The same, for {@code access}. */
  public MapOptions withAccess(DmaAccess access) {
    return new MapOptions(access, iova, alignment, highest);
  }

  /** The same, at a multiple of {@code alignment} bytes. */
  public MapOptions alignedTo(long alignment) {
    return new MapOptions(access, iova, alignment, highest);
  }

  /**
   * The same, for a device with so many address bits, such as 32.
   *
   * @throws IllegalArgumentException unless it is from 12 to 64
   */
  public MapOptions withAddressBits(int bits) {
    if (bits < 12 || bits > 64) {
      throw new IllegalArgumentException("a device has 12 to 64 address bits, not " + bits);
    }
    return new MapOptions(access, iova, alignment, -1L >>> (64 - bits));
  }

  @Override
  public String toString() {
    return "%s, %s, a multiple of 0x%x, up to 0x%x"
        .formatted(
            access,
            iova.isPresent() ? "at 0x%x".formatted(iova.getAsLong()) : "anywhere",
            alignment,
            highest);
  }
}
