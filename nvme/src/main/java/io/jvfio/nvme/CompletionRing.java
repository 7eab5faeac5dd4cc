// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.lang.foreign.MemorySegment;

/**
 * The host's side of a completion queue. Source: NVM Express Base Specification, "Queue
 * Structures".
 *
 * <p>A completion's phase tag is read with acquire, so that the data that it announces is read
 * after it; the phase turns over with each round of the ring, which is how an old entry is told
 * from a new one. Not safe for use by several threads at once.
 */
final class CompletionRing {
  /** There is no new entry. No entry has this last dword with the phase that is expected. */
  static final long NONE = -1;

  private final MemorySegment memory;
  private final long ring;
  private final int entries;
  private final Doorbell doorbell;

  private int head;
  private int phase = 1;
  private int taken;

  /** A ring of {@code entries} zeroed entries in {@code memory} from {@code ring}. */
  CompletionRing(MemorySegment memory, long ring, int entries, Doorbell doorbell) {
    this.memory = memory;
    this.ring = ring;
    this.entries = entries;
    this.doorbell = doorbell;
  }

  private long entry() {
    return ring + (long) head * CompletionEntry.SIZE;
  }

  /**
   * Looks at the next entry, without taking it.
   *
   * @return its last dword, as an unsigned number, for {@link CompletionEntry}; or {@link #NONE}
   */
  long peek() {
    int last = CompletionEntry.lastDwordAcquire(memory, entry());
    return CompletionEntry.phase(last) == phase ? Integer.toUnsignedLong(last) : NONE;
  }

  /** Dword 0 of the entry at the head. */
  int result() {
    return CompletionEntry.result(memory, entry());
  }

  /** Takes the entry at the head. */
  void take() {
    taken++;
    int next = head + 1;
    if (next == entries) {
      head = 0;
      phase ^= 1;
    } else {
      head = next;
    }
  }

  /** Tells the controller that the entries taken so far can be overwritten. */
  void acknowledge() {
    if (taken > 0) {
      taken = 0;
      doorbell.ring(head);
    }
  }

  /** Begins at the first entry again, all old: the queue was deleted at the controller. */
  void restart() {
    memory.asSlice(ring, (long) entries * CompletionEntry.SIZE).fill((byte) 0);
    head = 0;
    phase = 1;
    taken = 0;
    doorbell.restart();
  }
}
