// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/**
 * A format that the blocks of a namespace can have. Source: NVM Command Set Specification, "LBA
 * Format data structure".
 *
 * @param dataBytes bytes of data per block: a power of two from 512, or 0 if the format cannot be
 *     used
 * @param metadataBytes bytes of metadata per block
 * @param relativePerformance 0 best, 1 better, 2 good, 3 degraded
 */
public record LbaFormat(long dataBytes, int metadataBytes, int relativePerformance) {
  private static final int SMALLEST_SHIFT = 9;

  static LbaFormat of(int descriptor) {
    int shift = (descriptor >> 16) & 0xff;
    return new LbaFormat(
        shift < SMALLEST_SHIFT || shift >= Integer.SIZE ? 0 : 1L << shift,
        descriptor & 0xffff,
        (descriptor >> 24) & 0x3);
  }
}
