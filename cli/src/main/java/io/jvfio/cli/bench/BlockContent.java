// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Blocks that say what they are, so that one which is elsewhere, old, or damaged is found out:
 *
 * <pre>
 *   block address | seed | generation | ~ filling ~ | checksum of all before
 * </pre>
 *
 * <p>All are little-endian 64-bit words. The generation counts how often the block was written,
 * from 1; the filling follows from the first three words. Nothing here allocates but a finding in
 * words.
 */
public final class BlockContent {
  /** What {@link #check} is given when any generation will do. */
  static final long ANY_GENERATION = -1;

  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long SEED = 8;
  private static final long GENERATION = 16;
  private static final long FILLING = 24;
  private static final long GOLDEN = 0x9e3779b97f4a7c15L;
  private static final long MULTIPLIER = 0xff51afd7ed558ccdL;

  private BlockContent() {}

  /** Fills the block at {@code offset} of {@code memory}. */
  static void stamp(
      MemorySegment memory, long offset, int blockSize, long lba, long seed, long generation) {
    memory.set(WORD, offset, lba);
    memory.set(WORD, offset + SEED, seed);
    memory.set(WORD, offset + GENERATION, generation);
    long word = mixed(lba ^ mixed(seed ^ mixed(generation)));
    long checksum = mixed(lba) + mixed(seed ^ GOLDEN) + mixed(~generation);
    long end = blockSize - (long) Long.BYTES;
    for (long i = FILLING; i < end; i += Long.BYTES) {
      memory.set(WORD, offset + i, word);
      checksum = summed(checksum, word);
      word += GOLDEN;
    }
    memory.set(WORD, offset + end, checksum);
  }

  /** Makes sure that a block does not look like written until something is read into it. */
  static void spoil(MemorySegment memory, long offset) {
    memory.set(WORD, offset, -1L);
    memory.set(WORD, offset + GENERATION, -1L);
  }

  /**
   * Whether a block holds what was written to it.
   *
   * @param generation which one, or {@link #ANY_GENERATION}
   */
  static boolean check(
      MemorySegment memory,
      long offset,
      int blockSize,
      long lba,
      long seed,
      boolean anySeed,
      long generation) {
    return memory.get(WORD, offset) == lba
        && (anySeed || memory.get(WORD, offset + SEED) == seed)
        && (generation == ANY_GENERATION || memory.get(WORD, offset + GENERATION) == generation)
        && isWhole(memory, offset, blockSize);
  }

  private static boolean isWhole(MemorySegment memory, long offset, int blockSize) {
    long checksum =
        mixed(memory.get(WORD, offset))
            + mixed(memory.get(WORD, offset + SEED) ^ GOLDEN)
            + mixed(~memory.get(WORD, offset + GENERATION));
    long end = blockSize - (long) Long.BYTES;
    for (long i = FILLING; i < end; i += Long.BYTES) {
      checksum = summed(checksum, memory.get(WORD, offset + i));
    }
    return memory.get(WORD, offset + end) == checksum;
  }

  /** What is wrong with a block that {@link #check} did not accept, in words. */
  static String finding(
      MemorySegment memory, long offset, int blockSize, long lba, long seed, long generation) {
    long foundLba = memory.get(WORD, offset);
    long foundSeed = memory.get(WORD, offset + SEED);
    long foundGeneration = memory.get(WORD, offset + GENERATION);
    if (!isWhole(memory, offset, blockSize)) {
      return foundLba == lba && foundGeneration != 0
          ? "its checksum does not fit its content"
          : "it holds nothing that nvme bench wrote";
    }
    if (foundLba != lba) {
      return "it holds what was written to block %,d".formatted(foundLba);
    }
    return foundSeed == seed
        ? "it holds generation %d, not %d".formatted(foundGeneration, generation)
        : "it was written with seed %d, not %d".formatted(foundSeed, seed);
  }

  private static long summed(long checksum, long word) {
    return (Long.rotateLeft(checksum, 23) ^ word) * MULTIPLIER;
  }

  /** The finalizer of MurmurHash3, which lets each bit change half of the others. */
  private static long mixed(long value) {
    long mixed = (value ^ (value >>> 33)) * MULTIPLIER;
    mixed = (mixed ^ (mixed >>> 33)) * 0xc4ceb9fe1a85ec53L;
    return mixed ^ (mixed >>> 33);
  }
}
