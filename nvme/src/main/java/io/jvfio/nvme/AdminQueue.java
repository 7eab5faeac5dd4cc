// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaMapping;
import io.jvfio.DmaSpace;
import io.jvfio.IommuType;
import io.jvfio.jfr.Jfr;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The admin queue pair: one command at a time, which is waited for, and the requests for
 * asynchronous events, which stay with the controller until it has something to tell. Source: NVM
 * Express Base Specification, "Admin Command Set", "Asynchronous Event Request command".
 *
 * <p>Not safe for use by several threads at once.
 */
final class AdminQueue implements AutoCloseable {
  /** Entries of both queues. */
  static final int ENTRIES = 32;

  /** More requests than this do not tell more: the controller keeps what it could not tell. */
  static final int MAX_EVENT_REQUESTS = 4;

  private static final int DATA_PAGE = 0;
  private static final int LIST_PAGE = 1;
  private static final int SHADOW_PAGES = 2;
  private static final long COMMAND = 0;
  private static final long EVENT_REQUEST = 1;

  /** A look at CSTS costs as much as many looks at memory. */
  private static final int LOOKS_PER_HEALTH_CHECK = 1024;

  private final String device;
  private final ControllerRegisters registers;
  private final IommuType iommuType;
  private final QueueMemory memory;
  private final SubmissionRing submissions;
  private final CompletionRing completions;
  private final Deque<Integer> events = new ArrayDeque<>();

  private CommandSlots slots = new CommandSlots(ENTRIES - 1);
  private int completedSlot;
  private int completedStatus;
  private int completedResult;
  private int eventRequests;

  /** Whether the controller has ever completed a command, so that its DMA is known to arrive. */
  private boolean hasAnswered;

  /** Allocates the queues of a device, without telling the controller of them. */
  AdminQueue(String device, DmaSpace dmaSpace, ControllerRegisters registers) {
    this.device = device;
    this.registers = registers;
    iommuType = dmaSpace.type();
    memory = new QueueMemory(dmaSpace, ENTRIES, 1);
    submissions =
        new SubmissionRing(
            memory.segment(), QueueMemory.SUBMISSION_RING, ENTRIES, registers.submissionTail(0));
    completions =
        new CompletionRing(
            memory.segment(), memory.completionRing(), ENTRIES, registers.completionHead(0));
  }

  /** Begins anew, and tells the controller, which is disabled, where the queues are. */
  void restart() {
    slots = new CommandSlots(ENTRIES - 1);
    submissions.restart();
    completions.restart();
    eventRequests = 0;
    registers.adminQueues(memory.submissionIova(), memory.completionIova(), ENTRIES);
  }

  /** A page for the data of the command that is sent next, or was sent last. */
  MemorySegment data() {
    return memory.segment().asSlice(memory.slotOffset(DATA_PAGE), PrpList.PAGE_SIZE);
  }

  /** {@link #data()} as the device sees it. */
  long dataIova() {
    return memory.iova(memory.slotOffset(DATA_PAGE));
  }

  /** Doorbells in the memory of this queue, which no command of its own needs. */
  ShadowDoorbells shadowDoorbells() {
    long pages = memory.slotOffset(SHADOW_PAGES);
    return new ShadowDoorbells(
        memory.segment().asSlice(pages, ShadowDoorbells.BYTES), memory.iova(pages), registers);
  }

  /** PRP entry 2 for a buffer of the caller's, whose address is PRP entry 1. */
  long describe(DmaMapping buffer) {
    long pages = memory.slotOffset(LIST_PAGE);
    return PrpList.describe(
        buffer.iova(), buffer.byteSize(), memory.segment(), pages, memory.iova(pages));
  }

  /**
   * Sends a command and waits for it.
   *
   * @return its status; dword 0 is in {@link #completedResult()} until the next
   * @throws io.jvfio.VfioException if it does not come back in time, or the controller failed or is
   *     gone
   */
  int execute(
      int opcode,
      int namespaceId,
      long prp1,
      long prp2,
      long cdw10and11,
      long cdw12and13,
      long cdw14and15,
      long timeoutNanos) {
    int slot = slots.take(COMMAND);
    var event = CommandEvents.areOn() ? new NvmeCommandEvent() : null;
    if (event != null) {
      event.started(opcode, namespaceId, cdw10and11, cdw12and13);
    }
    submissions.put(
        opcode | slots.id(slot) << 16, namespaceId, prp1, prp2, cdw10and11, cdw12and13, cdw14and15);
    submissions.show();
    completedSlot = -1;
    var backoff = Backoff.patient(timeoutNanos);
    int looks = 0;
    while (true) {
      boolean expired = backoff.isExpired();
      takeCompletions();
      if (completedSlot == slot) {
        if (event != null) {
          event.ended(device, 0, completedStatus);
        }
        return completedStatus;
      }
      looks++;
      if (expired || looks % LOOKS_PER_HEALTH_CHECK == 0) {
        registers.checkRunning("wait for a command");
      }
      if (expired) {
        if (Jfr.isInUse()) {
          NvmeTimeoutEvent.told(device, 0, slots.id(slot), timeoutNanos, "reset");
        }
        var command = "admin command 0x%02x".formatted(opcode & 0xff);
        throw hasAnswered
            ? registers.commandTimeout(command, timeoutNanos)
            : registers.firstCommandTimeout(command, timeoutNanos, iommuType);
      }
      backoff.pause();
    }
  }

  /** Takes the completions there are: events, and that of the command being waited for. */
  void takeCompletions() {
    long last = completions.peek();
    if (last == CompletionRing.NONE) {
      return;
    }
    hasAnswered = true;
    while (last != CompletionRing.NONE) {
      int commandId = CompletionEntry.commandId((int) last);
      int slot = slots.slotOf(commandId);
      if (slot == CommandSlots.NONE) {
        throw registers.unknownCompletion(0, commandId);
      }
      int status = CompletionEntry.status((int) last);
      int result = completions.result();
      completions.take();
      slots.give(slot);
      if (slots.token(slot) == COMMAND) {
        completedSlot = slot;
        completedStatus = status;
        completedResult = result;
      } else {
        eventRequests--;
        if (status == 0) {
          events.add(result);
        }
      }
      last = completions.peek();
    }
    completions.acknowledge();
  }

  /** Sends requests for events until the controller has {@code count}. */
  void requestEvents(int count) {
    int wanted = Math.min(count, MAX_EVENT_REQUESTS);
    while (eventRequests < wanted) {
      int slot = slots.take(EVENT_REQUEST);
      submissions.put(Opcode.ASYNC_EVENT_REQUEST.code() | slots.id(slot) << 16, 0, 0, 0, 0, 0, 0);
      eventRequests++;
    }
    submissions.show();
  }

  /** The events told and not taken yet, as dword 0 of their completions. */
  Deque<Integer> events() {
    return events;
  }

  /** Dword 0 of the completion of the last command. */
  int completedResult() {
    return completedResult;
  }

  /** Frees the memory; the controller must not use it any more. */
  @Override
  public void close() {
    memory.close();
  }
}
