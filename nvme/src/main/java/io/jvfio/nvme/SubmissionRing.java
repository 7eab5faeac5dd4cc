// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.linux.Registers;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The host's side of a submission queue. Source: NVM Express Base Specification, "Queue
 * Structures".
 *
 * <p>Entries are plain stores, made visible to the device by the release of the doorbell. Whoever
 * uses it sees to it that there are fewer commands than entries: a full ring would look empty. Not
 * safe for use by several threads at once.
 */
final class SubmissionRing {
  private final MemorySegment memory;

  /** Where the ring lies if not in memory of this host; null otherwise. */
  private final @Nullable Registers device;

  private final long ring;
  private final int entries;
  private final Doorbell doorbell;

  private int tail;
  private int shown;

  /** A ring of {@code entries} entries in {@code memory} from {@code ring}, which is empty. */
  SubmissionRing(MemorySegment memory, long ring, int entries, Doorbell doorbell) {
    this(memory, null, ring, entries, doorbell);
  }

  /** A ring in memory of the device from {@code ring}, which is empty. */
  SubmissionRing(Registers device, long ring, int entries, Doorbell doorbell) {
    this(MemorySegment.NULL, device, ring, entries, doorbell);
  }

  private SubmissionRing(
      MemorySegment memory, @Nullable Registers device, long ring, int entries, Doorbell doorbell) {
    this.memory = memory;
    this.device = device;
    this.ring = ring;
    this.entries = entries;
    this.doorbell = doorbell;
  }

  /** Puts a command into the ring; the controller sees it after {@link #show()}. */
  void put(
      int cdw0,
      int namespaceId,
      long dptr1,
      long dptr2,
      long cdw10and11,
      long cdw12and13,
      long cdw14and15) {
    int at = tail;
    long entry = ring + (long) at * SubmissionEntry.SIZE;
    if (device == null) {
      SubmissionEntry.write(
          memory, entry, cdw0, namespaceId, dptr1, dptr2, cdw10and11, cdw12and13, cdw14and15);
    } else {
      SubmissionEntry.write(
          device, entry, cdw0, namespaceId, dptr1, dptr2, cdw10and11, cdw12and13, cdw14and15);
    }
    int next = at + 1;
    tail = next == entries ? 0 : next;
  }

  /** Shows the controller all commands put so far. */
  void show() {
    int value = tail;
    if (value != shown) {
      shown = value;
      doorbell.ring(value);
    }
  }

  /** Begins at the first entry again: the queue was deleted at the controller. */
  void restart() {
    tail = 0;
    shown = 0;
    doorbell.restart();
  }
}
