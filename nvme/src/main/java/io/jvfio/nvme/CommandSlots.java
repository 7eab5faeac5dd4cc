// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.util.Arrays;

/**
 * The commands of a queue that are in flight. A command takes a slot and gives it back when it
 * completes. Its command identifier is the slot's number with a count of the slot's commands above
 * it, so that the second completion of a command is not taken for the next one's. Not safe for use
 * by several threads at once.
 *
 * <p>When the controller was reset, commands are ended: they keep their slots until that was told,
 * and no completion is theirs any more.
 */
final class CommandSlots {
  private static final byte FREE = 0;
  private static final byte IN_FLIGHT = 1;
  private static final byte ABORTED = 2;
  private static final byte ENDED = 3;

  /** The identifier of nothing; that of no slot, as slots end below 1023. */
  static final int NONE = -1;

  /** The most slots that there can be. */
  static final int MAX_COUNT = 1023;

  private static final int SLOT_MASK = 0x3ff;
  private static final int ONE_COMMAND_LATER = SLOT_MASK + 1;

  private final int[] free;

  /** The identifier of each slot's command, or of its next one. */
  private final int[] ids;

  private final byte[] states;
  private final long[] tokens;

  /** When a command was first seen to take its time; 0 before that. */
  private final long[] seen;

  private int freeCount;
  private int endedCount;

  /** {@code count} slots, 1 to {@link #MAX_COUNT}, all free. */
  CommandSlots(int count) {
    free = new int[count];
    Arrays.setAll(free, i -> count - 1 - i);
    ids = new int[count];
    Arrays.setAll(ids, i -> i);
    states = new byte[count];
    tokens = new long[count];
    seen = new long[count];
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
    states[slot] = IN_FLIGHT;
    tokens[slot] = token;
    seen[slot] = 0;
    return slot;
  }

  /** The command identifier of a taken slot. */
  int id(int slot) {
    return ids[slot];
  }

  /** The slot of the command in flight with this identifier, or {@link #NONE}. */
  int slotOf(int id) {
    int slot = id & SLOT_MASK;
    return slot < states.length && ids[slot] == id && isInFlight(slot) ? slot : NONE;
  }

  /** Whether the controller has the command of a slot. */
  boolean isInFlight(int slot) {
    return states[slot] == IN_FLIGHT || states[slot] == ABORTED;
  }

  /** Gives a taken slot back. */
  void give(int slot) {
    states[slot] = FREE;
    ids[slot] = (ids[slot] + ONE_COMMAND_LATER) & 0xffff;
    free[freeCount++] = slot;
  }

  /** What was given with the command that has or had the slot last. */
  long token(int slot) {
    return tokens[slot];
  }

  /** The controller has none of the commands any more. */
  void endAll() {
    for (int slot = 0; slot < states.length; slot++) {
      if (isInFlight(slot)) {
        states[slot] = ENDED;
        endedCount++;
      }
    }
  }

  boolean hasEnded() {
    return endedCount > 0;
  }

  /** Gives back the slot of an ended command; there has to be one. */
  int giveEnded() {
    int slot = 0;
    while (states[slot] != ENDED) {
      slot++;
    }
    endedCount--;
    give(slot);
    return slot;
  }

  /**
   * How long a command has been in flight, from the first time that this was asked.
   *
   * @param now {@link System#nanoTime()}, which is not 0
   */
  long age(int slot, long now) {
    if (seen[slot] == 0) {
      seen[slot] = now;
    }
    return now - seen[slot];
  }

  /** Notes that the controller was asked to abort a command; its age begins again. */
  void aborted(int slot) {
    states[slot] = ABORTED;
    seen[slot] = 0;
  }

  boolean isAborted(int slot) {
    return states[slot] == ABORTED;
  }
}
