// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What a logical block holds, as {@code src/main/c/survivors.c} tells it: the block's number, the
 * generation of the write that it is of, words that follow from these two, and a checksum. A block
 * that was never written is zero, of generation 0.
 *
 * @param blockSize bytes of a block, 512 or 4096
 */
record BlockPattern(int blockSize) {
  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final long BETWEEN_WORDS = 0x9e3779b97f4a7c15L;
  private static final long CHECKSUM_BASE = 0x100000001b3L;

  /** A block that is not of one write as a whole. */
  static final long TORN = -1;

  /** Puts blocks of one write into memory. */
  void fill(MemorySegment memory, long offset, long number, int blocks, long generation) {
    for (int block = 0; block < blocks; block++) {
      fill(memory, offset + (long) block * blockSize, number + block, generation);
    }
  }

  private void fill(MemorySegment memory, long offset, long number, long generation) {
    int words = blockSize / Long.BYTES;
    long word = mix(number + mix(generation));
    long sum = 0;
    for (int i = 0; i < words - 1; i++) {
      long value = i == 0 ? number : i == 1 ? generation : word;
      memory.set(WORD, offset + (long) i * Long.BYTES, value);
      sum = (sum ^ value) * CHECKSUM_BASE;
      word += BETWEEN_WORDS;
    }
    memory.set(WORD, offset + (words - 1L) * Long.BYTES, sum);
  }

  /**
   * Tells of which write a block is.
   *
   * @return its generation, 0 if it was never written, or {@link #TORN}, also if it is another
   *     block
   */
  long generation(MemorySegment memory, long offset, long number) {
    int words = blockSize / Long.BYTES;
    long generation = memory.get(WORD, offset + Long.BYTES);
    if (generation == 0) {
      for (int i = 0; i < words; i++) {
        if (memory.get(WORD, offset + (long) i * Long.BYTES) != 0) {
          return TORN;
        }
      }
      return 0;
    }
    long word = mix(number + mix(generation));
    long sum = 0;
    for (int i = 0; i < words - 1; i++) {
      long value = memory.get(WORD, offset + (long) i * Long.BYTES);
      if (value != (i == 0 ? number : i == 1 ? generation : word)) {
        return TORN;
      }
      sum = (sum ^ value) * CHECKSUM_BASE;
      word += BETWEEN_WORDS;
    }
    return memory.get(WORD, offset + (words - 1L) * Long.BYTES) == sum ? generation : TORN;
  }

  /** Spreads every bit over all. */
  private static long mix(long bits) {
    long mixed = (bits ^ (bits >>> 30)) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
    return mixed ^ (mixed >>> 31);
  }
}
