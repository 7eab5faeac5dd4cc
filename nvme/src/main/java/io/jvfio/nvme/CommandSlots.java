package io.jvfio.nvme;

import java.util.Arrays;

/**
 * The commands of a queue that are in flight. A command takes a slot, whose number is its command
 * identifier, and gives it back when it completes. Not safe for use by several threads at once.
 */
final class CommandSlots {
  private final int[] free;
  private final boolean[] isTaken;
  private final long[] tokens;
  private int freeCount;

  /** {@code count} slots, all free. */
  CommandSlots(int count) {
    free = new int[count];
    Arrays.setAll(free, i -> count - 1 - i);
    isTaken = new boolean[count];
    tokens = new long[count];
    freeCount = count;
  }

  int count() {
    return free.length;
  }

  boolean hasFree() {
    return freeCount > 0;
  }

  int takenCount() {
    return free.length - freeCount;
  }

  /** Takes a slot; there has to be one. */
  int take(long token) {
    int slot = free[--freeCount];
    isTaken[slot] = true;
    tokens[slot] = token;
    return slot;
  }

  /** Whether a command has this identifier, which may be any number that is not negative. */
  boolean isTaken(int slot) {
    return slot < isTaken.length && isTaken[slot];
  }

  /** Gives a taken slot back. */
  void give(int slot) {
    isTaken[slot] = false;
    free[freeCount++] = slot;
  }

  /** What was given with the command that has or had the slot last. */
  long token(int slot) {
    return tokens[slot];
  }
}
