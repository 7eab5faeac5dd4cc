// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Ranges of blocks: what is deallocated, or copied. To be filled again and again: only its
 * construction allocates. Not safe for use by several threads at once.
 */
public final class NvmeRanges {
  private static final int MOST = 256;
  private static final long MOST_BLOCKS = 0xffff_ffffL;

  private final long[] lbas;
  private final long[] blocks;
  private int size;
  private long blockCount;

  /**
   * Without ranges.
   *
   * @param capacity ranges that there can be, 1 to 256
   */
  public NvmeRanges(int capacity) {
    if (capacity < 1 || capacity > MOST) {
      throw new IllegalArgumentException("%d ranges, not 1 to %d".formatted(capacity, MOST));
    }
    lbas = new long[capacity];
    blocks = new long[capacity];
  }

  /** Removes all ranges. */
  public NvmeRanges clear() {
    size = 0;
    blockCount = 0;
    return this;
  }

  /**
   * Adds a range.
   *
   * @param lba the first block
   * @param count how many blocks, 1 to 2³²−1
   * @throws IndexOutOfBoundsException if a number is out of range
   * @throws IllegalStateException if it is full
   */
  public NvmeRanges add(long lba, long count) {
    if (lba < 0 || count < 1 || count > MOST_BLOCKS) {
      throw new IndexOutOfBoundsException("%d blocks from %d".formatted(count, lba));
    }
    if (size == lbas.length) {
      throw new IllegalStateException("it has %d ranges already".formatted(size));
    }
    lbas[size] = lba;
    blocks[size] = count;
    size++;
    blockCount += count;
    return this;
  }

  /** The number of ranges. */
  public int size() {
    return size;
  }

  /** Blocks of all ranges. */
  public long blockCount() {
    return blockCount;
  }

  /** The first block of a range. */
  public long lba(int range) {
    return lbas[range];
  }

  /** The number of blocks of a range. */
  public long blocks(int range) {
    return blocks[range];
  }

  @Override
  public String toString() {
    return IntStream.range(0, size)
        .mapToObj(i -> "%d+%d".formatted(lbas[i], blocks[i]))
        .collect(Collectors.joining(", ", "blocks [", "]"));
  }
}
