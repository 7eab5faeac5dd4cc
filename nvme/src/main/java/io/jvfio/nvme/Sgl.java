// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;

import java.lang.foreign.MemorySegment;

/**
 * Describes device memory by a Scatter Gather List. Source: NVM Express Base Specification,
 * "Scatter Gather List (SGL)".
 *
 * <p>A descriptor is two words: an address; and a length (bits 31:0) and a type (63:60). Contiguous
 * memory is one Data Block descriptor in the command itself; pieces are a list of them in a page,
 * to which the command has a Last Segment descriptor.
 */
final class Sgl {
  /** Descriptors that a page holds. */
  static final int MAX_PIECES = PrpList.PAGE_SIZE / 16;

  private static final long DESCRIPTOR_BYTES = 16;
  private static final long LAST_SEGMENT = 3L << 60;

  private Sgl() {}

  /** The second word of a descriptor for contiguous memory, whose first is the address. */
  static long dataBlock(long byteSize) {
    return byteSize;
  }

  /**
   * Writes a list of pieces.
   *
   * @return the second word of the descriptor for the list, whose first is the list's address
   */
  static long describe(NvmeScatter scatter, MemorySegment lists, long listOffset) {
    int count = scatter.size();
    for (int piece = 0; piece < count; piece++) {
      long at = listOffset + piece * DESCRIPTOR_BYTES;
      lists.set(LE64, at, scatter.iova(piece));
      lists.set(LE64, at + Long.BYTES, dataBlock(scatter.byteSize(piece)));
    }
    return LAST_SEGMENT | count * DESCRIPTOR_BYTES;
  }
}
