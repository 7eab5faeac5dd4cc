package io.jvfio.nvme;

import io.jvfio.DmaBuffer;
import io.jvfio.DmaSpace;
import io.jvfio.VfioException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A submission queue and the completion queue that belongs to it, polled.
 *
 * <p>Source: NVM Express Base Specification, "Queue Structures". The two rings and one data page
 * per command are a single {@link DmaBuffer}:
 *
 * <pre>
 *   submission ring | completion ring | page of slot 0 | page of slot 1 | ...
 * </pre>
 *
 * <p>A command takes a slot, whose number is its command identifier, and gives it back when it
 * completes. There is one slot less than entries, so a ring with all slots taken is full and never
 * looks empty. The page of a slot is free for its command to use: for a PRP list, or for the data
 * of an admin command.
 *
 * <p>Ordering: entries and data are plain stores, made visible to the device by the release of the
 * doorbell. A completion's phase tag is read with acquire, so that the data it announces is read
 * after it; the phase turns over with each round of the ring, which is how an old entry is told
 * from a new one.
 *
 * <p>Nothing here allocates. Not safe for use by several threads at once.
 */
final class QueuePair implements AutoCloseable {
  static final int SUCCESS = 0;

  /** A look at CSTS costs as much as many looks at memory. */
  private static final int LOOKS_PER_HEALTH_CHECK = 4096;

  private static final long PAGE_SIZE = PrpList.PAGE_SIZE;

  private final ControllerRegisters registers;
  private final long submissionDoorbell;
  private final long completionDoorbell;
  private final int entries;
  private final Backoff backoff;
  private final DmaBuffer buffer;
  private final MemorySegment memory;
  private final long completionRing;
  private final long slotPages;

  private final int[] freeSlots;
  private final boolean[] isTaken;
  private int freeCount;
  private int tail;
  private int head;
  private int phase = 1;
  private int completedStatus;
  private int completedResult;

  /**
   * Allocates the queues, without telling the controller of them.
   *
   * @param id 0 for the admin queues
   * @param entries of each queue, at least 2
   * @param timeoutNanos how long to wait for a completion
   */
  QueuePair(
      DmaSpace dmaSpace, ControllerRegisters registers, int id, int entries, long timeoutNanos) {
    this.registers = registers;
    this.entries = entries;
    submissionDoorbell = registers.submissionDoorbell(id);
    completionDoorbell = registers.completionDoorbell(id);
    backoff = new Backoff(timeoutNanos);
    int slots = entries - 1;
    completionRing = roundUp((long) entries * SubmissionEntry.SIZE);
    slotPages = completionRing + roundUp((long) entries * CompletionEntry.SIZE);
    freeSlots = new int[slots];
    isTaken = new boolean[slots];
    Arrays.setAll(freeSlots, i -> slots - 1 - i);
    freeCount = slots;
    buffer = dmaSpace.allocate(slotPages + slots * PAGE_SIZE);
    memory = buffer.segment();
  }

  private static long roundUp(long byteSize) {
    return (byteSize + PAGE_SIZE - 1) & -PAGE_SIZE;
  }

  int entries() {
    return entries;
  }

  long submissionIova() {
    return buffer.iova();
  }

  long completionIova() {
    return buffer.iova() + completionRing;
  }

  /** The rings and pages as this process sees them. */
  MemorySegment memory() {
    return memory;
  }

  /** Where in {@link #memory()} the page of a slot is. */
  long pageOffset(int slot) {
    return slotPages + slot * PAGE_SIZE;
  }

  /** The page of a slot as the device sees it. */
  long pageIova(int slot) {
    return buffer.iova() + pageOffset(slot);
  }

  boolean hasFreeSlot() {
    return freeCount > 0;
  }

  boolean isIdle() {
    return freeCount == freeSlots.length;
  }

  /** Takes a slot for a command; there has to be one. */
  int takeSlot() {
    int slot = freeSlots[--freeCount];
    isTaken[slot] = true;
    return slot;
  }

  /** Puts a command into the ring; the controller sees it after {@link #ring()}. */
  void put(
      int slot,
      Opcode opcode,
      int namespaceId,
      long prp1,
      long prp2,
      int cdw10,
      int cdw11,
      int cdw12) {
    long entry = (long) tail * SubmissionEntry.SIZE;
    SubmissionEntry.write(
        memory,
        entry,
        opcode.code() | slot << 16,
        namespaceId,
        prp1,
        prp2,
        SubmissionEntry.pair(cdw10, cdw11),
        cdw12,
        0);
    tail++;
    if (tail == entries) {
      tail = 0;
    }
  }

  /** Shows the controller all commands put so far. */
  void ring() {
    registers.ring(submissionDoorbell, tail);
  }

  /**
   * Takes the next completion, if there is one, and gives back its slot. What it said is in {@link
   * #completedStatus()} and {@link #completedResult()} until the next call.
   *
   * @return the slot of the completed command, or -1
   * @throws VfioException if the controller completes a command that it was not given
   */
  int poll() {
    long entry = completionRing + (long) head * CompletionEntry.SIZE;
    int last = CompletionEntry.lastDwordAcquire(memory, entry);
    if (CompletionEntry.phase(last) != phase) {
      return -1;
    }
    int slot = CompletionEntry.commandId(last);
    if (slot >= isTaken.length || !isTaken[slot]) {
      throw registers.failure(
          "take a completion",
          "The controller completed command %d, which it was not given.".formatted(slot),
          "Its firmware or its memory is faulty.");
    }
    completedStatus = CompletionEntry.status(last);
    completedResult = CompletionEntry.result(memory, entry);
    head++;
    if (head == entries) {
      head = 0;
      phase ^= 1;
    }
    isTaken[slot] = false;
    freeSlots[freeCount++] = slot;
    return slot;
  }

  /** Tells the controller that the completions taken so far can be overwritten. */
  void acknowledge() {
    registers.ring(completionDoorbell, head);
  }

  /**
   * Waits for the next completion and takes it, as {@link #poll()} does.
   *
   * @throws VfioException if none comes in time, or the controller failed or is gone
   */
  int await() {
    backoff.restart();
    int looks = 0;
    while (true) {
      boolean expired = backoff.isExpired();
      int slot = poll();
      if (slot >= 0) {
        return slot;
      }
      looks++;
      if (expired || looks % LOOKS_PER_HEALTH_CHECK == 0) {
        registers.checkAlive("wait for a command");
      }
      if (expired) {
        throw registers.failure(
            "wait for a command",
            "The controller did not complete it in time; it was stopped.",
            "Open the controller again, or allow it more time (NvmeOptions.commandTimeout).");
      }
      backoff.pause();
    }
  }

  /** The status of the completion taken last; 0 is success. */
  int completedStatus() {
    return completedStatus;
  }

  /** Dword 0 of the completion taken last. */
  int completedResult() {
    return completedResult;
  }

  /** Frees the memory; the controller must not use it any more. */
  @Override
  public void close() {
    buffer.close();
  }
}
