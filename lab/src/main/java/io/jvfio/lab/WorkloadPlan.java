// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/**
 * What {@link NvmeWorkload} writes, as a function of a seed: how a region of a disk is cut into
 * requests, in which order they are made, and what each block holds. The host, which sees the
 * disk's image only, knows the content from the same seed.
 *
 * @param seed makes all of it
 * @param firstBlock where the region begins on the disk, in blocks
 * @param blockCount how long the region is, in blocks
 */
record WorkloadPlan(long seed, long firstBlock, int blockCount) {
  /** Bytes of a block. */
  static final int BLOCK = 512;

  /** The largest request, in blocks: 1 MiB. */
  static final int LARGEST = (1 << 20) / BLOCK;

  private static final int WORDS = BLOCK / Long.BYTES;
  private static final long BETWEEN_BLOCKS = 0x9e3779b97f4a7c15L;
  private static final long BETWEEN_WORDS = 0xd1342543de82ef95L;
  private static final long CHECKSUM_BASE = 0x2545f4914f6cdd1dL;
  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** A request: so many blocks from one that is counted from the beginning of the region. */
  record Request(int block, int blocks) {}

  /**
   * All blocks of the region, each in one request, in random order; small sizes are as likely as
   * large ones, on a logarithmic scale from one block to {@link #LARGEST}.
   *
   * @param round requests of different rounds are of different sizes and in another order
   */
  Request[] requests(int round) {
    var random = new SplittableRandom(mix(seed + round));
    var ends = new int[blockCount];
    int count = 0;
    for (int block = 0; block < blockCount; count++) {
      int size = (int) Math.exp(random.nextDouble() * Math.log(LARGEST + 1.0));
      block += Math.min(size, blockCount - block);
      ends[count] = block;
    }
    var requests = new Request[count];
    for (int i = 0; i < count; i++) {
      int begin = i == 0 ? 0 : ends[i - 1];
      int place = random.nextInt(i + 1);
      requests[i] = requests[place];
      requests[place] = new Request(begin, ends[i] - begin);
    }
    return requests;
  }

  /**
   * Puts what blocks shall hold into memory.
   *
   * @param block the first of them, counted from the beginning of the region
   * @return the checksum of the blocks; the sum of those of all blocks is the region's
   */
  long fill(MemorySegment memory, long offset, int block, int blocks) {
    long sum = 0;
    long place = offset;
    for (int i = 0; i < blocks; i++) {
      long word = firstWord(block + i);
      long checksum = 0;
      for (int j = 0; j < WORDS; j++) {
        memory.set(WORD, place, word);
        checksum = checksum * CHECKSUM_BASE + word;
        word += BETWEEN_WORDS;
        place += Long.BYTES;
      }
      sum += mix(checksum);
    }
    return sum;
  }

  /** The checksum of blocks in memory, whatever they hold. */
  static long checksum(MemorySegment memory, long offset, int blocks) {
    long sum = 0;
    long place = offset;
    for (int i = 0; i < blocks; i++) {
      long checksum = 0;
      for (int j = 0; j < WORDS; j++) {
        checksum = checksum * CHECKSUM_BASE + memory.get(WORD, place);
        place += Long.BYTES;
      }
      sum += mix(checksum);
    }
    return sum;
  }

  /**
   * The first of so many blocks in memory that does not hold what it should, counted from the
   * beginning of the region; -1 when all do.
   */
  int firstDifference(MemorySegment memory, long offset, int block, int blocks) {
    long place = offset;
    for (int i = 0; i < blocks; i++) {
      long word = firstWord(block + i);
      for (int j = 0; j < WORDS; j++) {
        if (memory.get(WORD, place) != word) {
          return block + i;
        }
        word += BETWEEN_WORDS;
        place += Long.BYTES;
      }
    }
    return -1;
  }

  private long firstWord(int block) {
    return mix(seed ^ (firstBlock + block + 1) * BETWEEN_BLOCKS);
  }

  /** Spreads every bit over all. */
  private static long mix(long bits) {
    long mixed = (bits ^ (bits >>> 30)) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
    return mixed ^ (mixed >>> 31);
  }
}
