// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The submission and completion queues: fetches commands, has them carried out, posts completions.
 * Source: NVM Express Base Specification, "Queue Structures", "Doorbell Buffer Config command".
 *
 * <p>Queue 0 is the admin queue pair. A command is fetched only when its completion queue has room,
 * so a full completion queue stalls its submission queues until software moves the head on.
 *
 * <p>With shadow doorbells, tails and heads of I/O queues are what memory says; a doorbell only
 * says that it is time to look. The event index tells software from which value on it has to ring.
 *
 * <p>Doorbell registers that software has as memory are looked at in each round, those of queues
 * that there are: a value that has changed is one that was written. A queue begins with 0 there, so
 * a value of its predecessor rings nothing.
 */
final class NvmeQueues {
  /** Carries out commands. */
  interface Executor {
    /**
     * Returns a status as it is to be reported, {@link NvmeStatus#PENDING}, {@link
     * NvmeStatus#NO_COMPLETION}, or {@link NvmeStatus#STOP} to have no more commands.
     */
    int execute(NvmeCommand command);

    /** Whether no more commands of a queue are to be fetched in this round. */
    boolean isRoundOver(int queueId);
  }

  /** The rules that a doorbell write can break. */
  enum DoorbellError {
    NONE,
    NO_SUCH_QUEUE,
    BAD_VALUE,
  }

  /** The vector of a completion queue without interrupts. */
  static final int NO_VECTOR = -1;

  private static final int FETCH_BATCH = 64;
  private static final long NO_SHADOW = -1;
  private static final int NEVER_WRITTEN = -1;

  /** An event index is left behind by this part of a ring at most, as long as nobody rings. */
  private static final int QUIET_PART = 8;

  private static final int DOORBELL_SIZE = 4;

  /** A doorbell register has this much of a value; the rest is reserved. */
  private static final int DOORBELL_MASK = 0xffff;

  private static final VarHandle DOORBELL = LE32.varHandle().withInvokeExactBehavior();

  private final DmaPort dma;
  private final NvmeInterrupts interrupts;
  private final boolean isPolled;
  private final MemorySegment fetched;
  private final MemorySegment completion;
  private final MemorySegment doorbell;
  private final NvmeCommand command = new NvmeCommand();
  private final @Nullable SubmissionQueue[] submissionQueues;
  private final @Nullable CompletionQueue[] completionQueues;

  /** The queues that there are, by their numbers: a round looks at no others. */
  private SubmissionQueue[] submitting = {};

  private CompletionQueue[] completing = {};

  /** Doorbell registers that software has as memory, or null. */
  private @Nullable MemorySegment mapped;

  /** The number of doorbells up to the last one of a queue. */
  private int doorbells;

  private long shadowDoorbells = NO_SHADOW;
  private long eventIndexes;
  private boolean sawBadShadow;
  private boolean isStopped;

  /** Some completion queue is new. */
  private boolean unsignalled;

  /** Which of {@link #submitting} has its turn, the admin queue aside. */
  private int turn = 1;

  /**
   * No queues yet.
   *
   * @param pairs how many I/O queue pairs there can be
   * @param isPolled whether the host looks at shadow doorbells all the time
   */
  NvmeQueues(DmaPort dma, NvmeInterrupts interrupts, Arena arena, int pairs, boolean isPolled) {
    this.dma = dma;
    this.interrupts = interrupts;
    this.isPolled = isPolled;
    fetched = arena.allocate((long) FETCH_BATCH * NvmeCommand.SIZE, Long.BYTES);
    completion = arena.allocate(NvmeCompletion.LAYOUT);
    doorbell = arena.allocate(LE32);
    submissionQueues = new @Nullable SubmissionQueue[pairs + 1];
    completionQueues = new @Nullable CompletionQueue[pairs + 1];
  }

  /** A queue in memory of the host, and what is told of its doorbell there. */
  private abstract static class Ring {
    final int id;
    final long iova;
    final int entries;
    int head;
    int tail;

    /** The value of the doorbell register that was seen last, where that is memory. */
    int seen;

    /** The event index as memory has it. */
    int eventIndex = NEVER_WRITTEN;

    /** Software rang although the event index was written. */
    boolean isRung;

    Ring(int id, long iova, int entries) {
      this.id = id;
      this.iova = iova;
      this.entries = entries;
    }

    /** Whether software that goes on from {@code position} would soon pass the event index. */
    final boolean hasEventIndexInTheWay(int position) {
      int behind = Math.floorMod(position - eventIndex, entries);
      return eventIndex == NEVER_WRITTEN
          || behind == 0
          || behind > (isRung ? 1 : entries / QUIET_PART);
    }
  }

  private static final class SubmissionQueue extends Ring {
    final CompletionQueue completions;

    /** It is about to be deleted: nothing is fetched any more. */
    boolean isEnding;

    SubmissionQueue(int id, long iova, int entries, CompletionQueue completions) {
      super(id, iova, entries);
      this.completions = completions;
    }
  }

  private static final class CompletionQueue extends Ring {
    /** The interrupt vector, or {@link #NO_VECTOR}. */
    final int vector;

    boolean phase = true;

    /** Something was posted since the last interrupt. */
    boolean isNew;

    /** The number of commands that will complete later, for which room is kept. */
    int reserved;

    CompletionQueue(int id, long iova, int entries, int vector) {
      super(id, iova, entries);
      this.vector = vector;
    }

    boolean interrupts(int mask) {
      return vector != NO_VECTOR
          && head != tail
          && (vector >= Integer.SIZE || ((mask >>> vector) & 1) == 0);
    }

    /** How many more completions there is room for, besides those for which it is kept. */
    int room() {
      int room = head - tail - 1;
      return (room < 0 ? room + entries : room) - reserved;
    }
  }

  /** How many I/O queue pairs there can be. */
  int pairs() {
    return submissionQueues.length - 1;
  }

  /**
   * Creates a completion queue.
   *
   * @param vector its interrupt vector, or {@link #NO_VECTOR}
   */
  void createCompletionQueue(int id, long iova, int entries, int vector) {
    completionQueues[id] = new CompletionQueue(id, iova, entries, vector);
    list();
    begin(2 * id + 1);
  }

  void createSubmissionQueue(int id, long iova, int entries, int completionQueueId) {
    var completions = completionQueues[completionQueueId];
    if (completions == null) {
      throw new IllegalArgumentException("no completion queue " + completionQueueId);
    }
    submissionQueues[id] = new SubmissionQueue(id, iova, entries, completions);
    list();
    begin(2 * id);
  }

  /** A queue has come or gone. */
  private void list() {
    submitting =
        Arrays.stream(submissionQueues).filter(Objects::nonNull).toArray(SubmissionQueue[]::new);
    completing =
        Arrays.stream(completionQueues).filter(Objects::nonNull).toArray(CompletionQueue[]::new);
  }

  /** The doorbell of a new queue is 0. */
  private void begin(int number) {
    doorbells = Math.max(doorbells, number + 1);
    store(number, 0);
  }

  boolean hasCompletionQueue(int id) {
    return id < completionQueues.length && completionQueues[id] != null;
  }

  boolean hasSubmissionQueue(int id) {
    return id < submissionQueues.length && submissionQueues[id] != null;
  }

  boolean hasIoQueues() {
    return completing.length > (hasCompletionQueue(0) ? 1 : 0);
  }

  /** Whether a submission queue still posts to this completion queue. */
  boolean isInUse(int completionQueueId) {
    for (var queue : submitting) {
      if (queue.completions == completionQueues[completionQueueId]) {
        return true;
      }
    }
    return false;
  }

  /** Has nothing fetched from a queue any more. */
  void endSubmissionQueue(int id) {
    var queue = submissionQueues[id];
    if (queue != null) {
      queue.isEnding = true;
    }
  }

  void deleteSubmissionQueue(int id) {
    submissionQueues[id] = null;
    list();
  }

  void deleteCompletionQueue(int id) {
    completionQueues[id] = null;
    list();
  }

  /** Deletes all queues, the admin queues too, and forgets shadow doorbells. */
  void clear() {
    Arrays.fill(submissionQueues, null);
    Arrays.fill(completionQueues, null);
    list();
    shadowDoorbells = NO_SHADOW;
    sawBadShadow = false;
    unsignalled = false;
    doorbells = 0;
    if (mapped != null) {
      mapped.fill((byte) 0);
    }
  }

  /** Software has the doorbell registers as memory from now on, with the values that they have. */
  void mapDoorbells(MemorySegment memory) {
    mapped = memory;
    for (int number = 0; number < doorbells; number++) {
      var ring = ring(number);
      if (ring != null) {
        store(number, number % 2 == 0 ? ring.tail : ring.head);
      }
    }
  }

  /** Software has no doorbell registers as memory any more. */
  void unmapDoorbells() {
    mapped = null;
  }

  /** What was written to a doorbell register is in memory too, and seen. */
  private void store(int number, int value) {
    var memory = mapped;
    var ring = ring(number);
    if (memory != null && ring != null) {
      ring.seen = value;
      DOORBELL.setOpaque(memory, (long) number * DOORBELL_SIZE, value);
    }
  }

  private @Nullable Ring ring(int number) {
    int id = number / 2;
    if (id >= submissionQueues.length) {
      return null;
    }
    return number % 2 == 0 ? submissionQueues[id] : completionQueues[id];
  }

  /**
   * Takes the doorbells that software has stored into memory.
   *
   * @param errors hears of each that breaks a rule
   */
  void takeStores(Consumer<DoorbellError> errors) {
    var memory = mapped;
    if (memory == null) {
      return;
    }
    for (int number = 0; number < doorbells; number++) {
      var ring = ring(number);
      if (ring != null) {
        // What software put into the queue before is seen after this.
        int value = (int) DOORBELL.getAcquire(memory, (long) number * DOORBELL_SIZE);
        if (value != ring.seen) {
          ring.seen = value;
          var error = take(number, value & DOORBELL_MASK);
          if (error != DoorbellError.NONE) {
            errors.accept(error);
          }
        }
      }
    }
  }

  /** Doorbells of I/O queues are in memory from now on: one page of them, one of event indexes. */
  void useShadowDoorbells(long doorbells, long events) {
    shadowDoorbells = doorbells;
    eventIndexes = events;
    for (var queue : submitting) {
      queue.eventIndex = NEVER_WRITTEN;
    }
    for (var queue : completing) {
      queue.eventIndex = NEVER_WRITTEN;
    }
  }

  private boolean isShadowed(int id) {
    return id != 0 && shadowDoorbells != NO_SHADOW;
  }

  private int readShadow(int number) throws DmaFaultException {
    dma.read(shadowDoorbells + (long) number * DOORBELL_SIZE, doorbell, 0, DOORBELL_SIZE);
    return doorbell.get(LE32, 0);
  }

  private void writeEventIndex(int number, int value) throws DmaFaultException {
    doorbell.set(LE32, 0, value);
    dma.write(eventIndexes + (long) number * DOORBELL_SIZE, doorbell, 0, DOORBELL_SIZE);
    // Software may have moved its doorbell on before it could see this: look again, after it.
    VarHandle.fullFence();
  }

  private void refreshTail(SubmissionQueue queue) throws DmaFaultException {
    int tail = readShadow(2 * queue.id);
    if (Integer.compareUnsigned(tail, queue.entries) < 0) {
      queue.tail = tail;
    } else {
      sawBadShadow = true;
    }
  }

  private void refreshHead(CompletionQueue queue) throws DmaFaultException {
    int head = readShadow(2 * queue.id + 1);
    if (moveHead(queue, head) != DoorbellError.NONE) {
      sawBadShadow = true;
    }
  }

  /** Has software ring when it takes a completion; then looks whether it did. */
  private void watchHead(CompletionQueue queue) throws DmaFaultException {
    if (queue.eventIndex != queue.head) {
      queue.eventIndex = queue.head;
      writeEventIndex(2 * queue.id + 1, queue.head);
    }
    refreshHead(queue);
  }

  /** Whether a shadow doorbell had no proper value since this was last asked. */
  boolean takeBadShadow() {
    boolean saw = sawBadShadow;
    sawBadShadow = false;
    return saw;
  }

  /**
   * Software wrote a doorbell register.
   *
   * @param number of the register: two for each queue pair
   */
  DoorbellError ring(int number, int written) {
    int value = written & DOORBELL_MASK;
    store(number, value);
    return take(number, value);
  }

  private DoorbellError take(int number, int value) {
    return number % 2 == 0
        ? submissionDoorbell(number / 2, value)
        : completionDoorbell(number / 2, value);
  }

  /** Software put commands into a queue. */
  private DoorbellError submissionDoorbell(int id, int tail) {
    var queue = id < submissionQueues.length ? submissionQueues[id] : null;
    if (queue == null) {
      return DoorbellError.NO_SUCH_QUEUE;
    }
    if (tail >= queue.entries) {
      return DoorbellError.BAD_VALUE;
    }
    if (!isShadowed(id)) {
      queue.tail = tail;
    }
    queue.isRung = queue.eventIndex != NEVER_WRITTEN;
    return DoorbellError.NONE;
  }

  /** Software took completions out of a queue. */
  private DoorbellError completionDoorbell(int id, int head) {
    var queue = id < completionQueues.length ? completionQueues[id] : null;
    if (queue == null) {
      return DoorbellError.NO_SUCH_QUEUE;
    }
    if (isShadowed(id)) {
      queue.isRung = queue.eventIndex != NEVER_WRITTEN;
      return head < queue.entries ? DoorbellError.NONE : DoorbellError.BAD_VALUE;
    }
    return moveHead(queue, head);
  }

  private static DoorbellError moveHead(CompletionQueue queue, int head) {
    int taken = Math.floorMod(head - queue.head, queue.entries);
    int posted = Math.floorMod(queue.tail - queue.head, queue.entries);
    if (head < 0 || head >= queue.entries || taken > posted) {
      return DoorbellError.BAD_VALUE;
    }
    queue.head = head;
    return DoorbellError.NONE;
  }

  /**
   * Fetches from all queues what can be carried out, as long as the round lasts: from the admin
   * queue first, and then from the one at which the last round was over.
   *
   * @return whether there was anything
   * @throws DmaFaultException if a queue itself cannot be reached; the controller is lost then
   */
  boolean processAll(Executor executor) throws DmaFaultException {
    boolean worked = process(0, executor);
    for (int i = 1; i < submitting.length; i++) {
      turn = turn < submitting.length ? turn : 1;
      int id = submitting[turn].id;
      if (executor.isRoundOver(id)) {
        break;
      }
      turn++;
      worked |= process(id, executor);
    }
    return worked;
  }

  /** Fetches what can be carried out from the queues that post to completion queue {@code id}. */
  void processPostingTo(int id, Executor executor) throws DmaFaultException {
    var completions = completionQueues[id];
    for (var queue : submitting) {
      if (queue.completions == completions && queue.head != queue.tail) {
        process(queue.id, executor);
      }
    }
  }

  /**
   * Fetches from submission queue {@code id} what can be carried out: all commands, as long as
   * there is room for their completions and the round lasts.
   *
   * @return whether there was anything
   * @throws DmaFaultException if a queue itself cannot be reached; the controller is lost then
   */
  boolean process(int id, Executor executor) throws DmaFaultException {
    boolean worked = false;
    boolean isShadowed = isShadowed(id);
    var queue = submissionQueues[id];
    isStopped = false;
    do {
      if (queue != null && isShadowed) {
        refreshTail(queue);
      }
      while (queue != null && !executor.isRoundOver(id) && processBatch(queue, executor)) {
        worked = true;
        queue = submissionQueues[id];
      }
    } while (queue != null
        && isShadowed
        && !isStopped
        && !executor.isRoundOver(id)
        && mayHaveMore(queue));
    return worked;
  }

  /**
   * Moves event indexes on, so that software never comes to them and rings. One that is right
   * behind software's own index is passed by no step of software's; one that is further behind is
   * by a long step, and costs less: so it is moved with every batch only where software was seen to
   * ring.
   *
   * <p>Before commands complete, since software puts no others into a full queue until then.
   */
  private void keepQuiet(SubmissionQueue queue) throws DmaFaultException {
    if (queue.hasEventIndexInTheWay(queue.tail)) {
      queue.eventIndex = Math.floorMod(queue.tail - 1, queue.entries);
      writeEventIndex(2 * queue.id, queue.eventIndex);
    }
    var completions = queue.completions;
    if (completions.isRung) {
      refreshHead(completions);
    }
    int head = completions.isRung ? completions.head : completions.tail;
    if (completions.hasEventIndexInTheWay(head)) {
      refreshHead(completions);
      completions.eventIndex = Math.floorMod(completions.head - 1, completions.entries);
      writeEventIndex(2 * completions.id + 1, completions.eventIndex);
    }
  }

  /** Arms the event indexes of a queue; true if software was quicker than that. */
  private boolean mayHaveMore(SubmissionQueue queue) throws DmaFaultException {
    if (queue.isEnding) {
      return false;
    }
    if (queue.head != queue.tail) {
      if (isPolled) {
        refreshHead(queue.completions);
      } else {
        watchHead(queue.completions);
      }
      return queue.completions.room() > 0;
    }
    if (isPolled || queue.eventIndex == queue.tail) {
      return false;
    }
    queue.eventIndex = queue.tail;
    writeEventIndex(2 * queue.id, queue.tail);
    refreshTail(queue);
    return queue.head != queue.tail;
  }

  private boolean processBatch(SubmissionQueue queue, Executor executor) throws DmaFaultException {
    int upTo = queue.tail >= queue.head ? queue.tail : queue.entries;
    int count = Math.min(Math.min(upTo - queue.head, FETCH_BATCH), queue.completions.room());
    if (count <= 0 || queue.isEnding) {
      return false;
    }
    long size = NvmeCommand.SIZE;
    dma.read(queue.iova + queue.head * size, fetched, 0, count * size);
    if (isPolled && isShadowed(queue.id)) {
      keepQuiet(queue);
    }
    for (int i = 0; i < count && !isStopped && !executor.isRoundOver(queue.id); i++) {
      command.load(queue.id, fetched, i * size);
      queue.head = queue.head + 1 == queue.entries ? 0 : queue.head + 1;
      int status = executor.execute(command);
      if (status == NvmeStatus.STOP) {
        isStopped = true;
      } else if (status == NvmeStatus.PENDING) {
        queue.completions.reserved++;
      } else if (status != NvmeStatus.NO_COMPLETION) {
        post(queue, command.id(), command.result(), status);
      }
    }
    return !isStopped;
  }

  /**
   * Sends an interrupt for each completion queue that something was posted to, unless its vector is
   * masked: then that waits for the next call.
   *
   * @param mask the vectors 0 to 31 that INTMS masks
   */
  void signal(int mask) {
    if (!unsignalled) {
      return;
    }
    unsignalled = false;
    for (var queue : completing) {
      if (queue.isNew) {
        if (interrupts.isHeldBack(queue.vector, mask)) {
          unsignalled = true;
          continue;
        }
        queue.isNew = false;
        if (queue.vector != NO_VECTOR) {
          interrupts.signal(queue.vector);
        }
      }
    }
  }

  /**
   * Sets the level of the interrupt line: high while a queue with interrupts holds completions that
   * software did not take, and its vector is not masked.
   *
   * @param mask the vectors 0 to 31 that INTMS masks
   * @throws DmaFaultException if a shadow doorbell cannot be reached
   */
  void updateLine(int mask) throws DmaFaultException {
    boolean isAsserted = false;
    if (interrupts.usesLine()) {
      for (var queue : completing) {
        if (queue.interrupts(mask)) {
          if (isShadowed(queue.id)) {
            watchHead(queue);
          }
          isAsserted |= queue.interrupts(mask);
        }
      }
    }
    interrupts.line(isAsserted);
  }

  /** Whether a command of this submission queue could complete now, besides those to be fetched. */
  boolean hasRoom(int submissionQueueId) throws DmaFaultException {
    var queue = submissionQueues[submissionQueueId];
    if (queue == null) {
      return false;
    }
    var completions = queue.completions;
    if (completions.room() == 0 && isShadowed(completions.id)) {
      refreshHead(completions);
    }
    return completions.room() > 0;
  }

  /**
   * Completes a command that was fetched before; there has to be room.
   *
   * @param status as it is to be reported
   */
  void complete(int submissionQueueId, int commandId, int result, int status)
      throws DmaFaultException {
    var queue = submissionQueues[submissionQueueId];
    if (queue != null) {
      post(queue, commandId, result, status);
    }
  }

  /** Completes a command that was PENDING, for which room was kept; as {@link #complete}. */
  void completePending(int submissionQueueId, int commandId, int result, int status)
      throws DmaFaultException {
    giveUpPending(submissionQueueId);
    complete(submissionQueueId, commandId, result, status);
  }

  /** Keeps room for the completion of a command that will be {@link #completePending}. */
  void keepRoom(int submissionQueueId) {
    var queue = submissionQueues[submissionQueueId];
    if (queue != null) {
      queue.completions.reserved++;
    }
  }

  /** A command that was PENDING does not complete. */
  void giveUpPending(int submissionQueueId) {
    var queue = submissionQueues[submissionQueueId];
    if (queue != null) {
      queue.completions.reserved--;
    }
  }

  private void post(SubmissionQueue queue, int commandId, int result, int status)
      throws DmaFaultException {
    var target = queue.completions;
    NvmeCompletion.fill(completion, result, queue.head, queue.id, commandId, status, target.phase);
    long entry = target.iova + (long) target.tail * NvmeCompletion.SIZE;
    long half = NvmeCompletion.SECOND_HALF_OFFSET;
    // Software polls the phase tag: all that it stands for has to be in memory before it.
    dma.write(entry, completion, 0, half);
    VarHandle.releaseFence();
    dma.write(entry + half, completion, half, NvmeCompletion.SIZE - half);
    target.isNew = true;
    unsignalled = true;
    target.tail++;
    if (target.tail == target.entries) {
      target.tail = 0;
      target.phase = !target.phase;
    }
  }
}
