package io.jvfio.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The submission and completion queues: fetches commands, has them carried out, posts completions.
 * Source: NVM Express Base Specification, "Queue Structures".
 *
 * <p>Queue 0 is the admin queue pair. A command is fetched only when its completion queue has room,
 * so a full completion queue stalls its submission queues until software moves the head on.
 */
final class NvmeQueues {
  /** Carries out commands. */
  interface Executor {
    /** Returns a status, or {@link NvmeStatus#NO_COMPLETION}. */
    int execute(NvmeCommand command);
  }

  /** Which rule a doorbell write broke. */
  enum DoorbellError {
    NONE,
    NO_SUCH_QUEUE,
    BAD_VALUE,
  }

  static final int MAX_IO_QUEUE_PAIRS = 64;

  /** The vector of a completion queue without interrupts. */
  static final int NO_VECTOR = -1;

  private static final int FETCH_BATCH = 64;

  private final DmaPort dma;
  private final NvmeInterrupts interrupts;
  private final MemorySegment fetched;
  private final MemorySegment completion;
  private final NvmeCommand command = new NvmeCommand();
  private final @Nullable SubmissionQueue[] submissionQueues =
      new @Nullable SubmissionQueue[MAX_IO_QUEUE_PAIRS + 1];
  private final @Nullable CompletionQueue[] completionQueues =
      new @Nullable CompletionQueue[MAX_IO_QUEUE_PAIRS + 1];

  NvmeQueues(DmaPort dma, NvmeInterrupts interrupts, Arena arena) {
    this.dma = dma;
    this.interrupts = interrupts;
    fetched = arena.allocate((long) FETCH_BATCH * NvmeCommand.SIZE, Long.BYTES);
    completion = arena.allocate(NvmeCompletion.LAYOUT);
  }

  private static final class SubmissionQueue {
    final int id;
    final long iova;
    final int entries;
    final CompletionQueue completions;
    int head;
    int tail;

    SubmissionQueue(int id, long iova, int entries, CompletionQueue completions) {
      this.id = id;
      this.iova = iova;
      this.entries = entries;
      this.completions = completions;
    }
  }

  private static final class CompletionQueue {
    final long iova;
    final int entries;

    /** The interrupt vector, or {@link #NO_VECTOR}. */
    final int vector;

    int head;
    int tail;
    boolean phase = true;

    /** Something was posted since the last interrupt. */
    boolean isNew;

    CompletionQueue(long iova, int entries, int vector) {
      this.iova = iova;
      this.entries = entries;
      this.vector = vector;
    }

    boolean interrupts(int mask) {
      return vector != NO_VECTOR
          && head != tail
          && (vector >= Integer.SIZE || ((mask >>> vector) & 1) == 0);
    }

    int room() {
      return Math.floorMod(head - tail - 1, entries);
    }
  }

  /**
   * Creates a completion queue.
   *
   * @param vector its interrupt vector, or {@link #NO_VECTOR}
   */
  void createCompletionQueue(int id, long iova, int entries, int vector) {
    completionQueues[id] = new CompletionQueue(iova, entries, vector);
  }

  void createSubmissionQueue(int id, long iova, int entries, int completionQueueId) {
    var completions = completionQueues[completionQueueId];
    if (completions == null) {
      throw new IllegalArgumentException("no completion queue " + completionQueueId);
    }
    submissionQueues[id] = new SubmissionQueue(id, iova, entries, completions);
  }

  boolean hasCompletionQueue(int id) {
    return id < completionQueues.length && completionQueues[id] != null;
  }

  boolean hasSubmissionQueue(int id) {
    return id < submissionQueues.length && submissionQueues[id] != null;
  }

  boolean hasIoQueues() {
    for (int id = 1; id <= MAX_IO_QUEUE_PAIRS; id++) {
      if (hasCompletionQueue(id)) {
        return true;
      }
    }
    return false;
  }

  /** Whether a submission queue still posts to this completion queue. */
  boolean isInUse(int completionQueueId) {
    for (var queue : submissionQueues) {
      if (queue != null && queue.completions == completionQueues[completionQueueId]) {
        return true;
      }
    }
    return false;
  }

  void deleteSubmissionQueue(int id) {
    submissionQueues[id] = null;
  }

  void deleteCompletionQueue(int id) {
    completionQueues[id] = null;
  }

  /** Deletes all queues, the admin queues too. */
  void clear() {
    for (int id = 0; id <= MAX_IO_QUEUE_PAIRS; id++) {
      submissionQueues[id] = null;
      completionQueues[id] = null;
    }
  }

  /** Software put commands into a queue. */
  DoorbellError submissionDoorbell(int id, int tail) {
    var queue = id < submissionQueues.length ? submissionQueues[id] : null;
    if (queue == null) {
      return DoorbellError.NO_SUCH_QUEUE;
    }
    if (tail >= queue.entries) {
      return DoorbellError.BAD_VALUE;
    }
    queue.tail = tail;
    return DoorbellError.NONE;
  }

  /** Software took completions out of a queue. */
  DoorbellError completionDoorbell(int id, int head) {
    var queue = id < completionQueues.length ? completionQueues[id] : null;
    if (queue == null) {
      return DoorbellError.NO_SUCH_QUEUE;
    }
    int taken = Math.floorMod(head - queue.head, queue.entries);
    int posted = Math.floorMod(queue.tail - queue.head, queue.entries);
    if (head >= queue.entries || taken > posted) {
      return DoorbellError.BAD_VALUE;
    }
    queue.head = head;
    return DoorbellError.NONE;
  }

  /**
   * Carries out whatever can be: all commands of all queues, as long as there is room for their
   * completions.
   *
   * @throws DmaFaultException if a queue itself cannot be reached; the controller is lost then
   */
  void process(Executor executor) throws DmaFaultException {
    for (int id = 0; id <= MAX_IO_QUEUE_PAIRS; id++) {
      var queue = submissionQueues[id];
      while (queue != null && processBatch(queue, executor) > 0) {
        queue = submissionQueues[id];
      }
    }
  }

  private int processBatch(SubmissionQueue queue, Executor executor) throws DmaFaultException {
    int upTo = queue.tail >= queue.head ? queue.tail : queue.entries;
    int count = Math.min(Math.min(upTo - queue.head, FETCH_BATCH), queue.completions.room());
    if (count == 0) {
      return 0;
    }
    long size = NvmeCommand.SIZE;
    dma.read(queue.iova + queue.head * size, fetched.asSlice(0, count * size));
    for (int i = 0; i < count; i++) {
      command.load(queue.id, fetched, i * size);
      queue.head = (queue.head + 1) % queue.entries;
      int status =
          command.hasUnsupportedFlags() ? NvmeStatus.INVALID_FIELD : executor.execute(command);
      if (status != NvmeStatus.NO_COMPLETION) {
        post(queue, command.id(), command.result(), status);
      }
    }
    signal(queue.completions);
    return count;
  }

  private void signal(CompletionQueue queue) {
    if (queue.isNew) {
      queue.isNew = false;
      if (queue.vector != NO_VECTOR) {
        interrupts.signal(queue.vector);
      }
    }
  }

  /**
   * Sets the level of the interrupt line: high while a queue with interrupts holds completions that
   * software did not take, and its vector is not masked.
   *
   * @param mask the vectors 0 to 31 that INTMS masks
   */
  void updateLine(int mask) {
    boolean isAsserted = false;
    if (interrupts.usesLine()) {
      for (var queue : completionQueues) {
        isAsserted |= queue != null && queue.interrupts(mask);
      }
    }
    interrupts.line(isAsserted);
  }

  /** Whether the admin queue can take a completion that no command is waiting for right now. */
  boolean hasAdminRoom() {
    var admin = completionQueues[0];
    return admin != null && admin.room() > 0;
  }

  /** Completes a command that was held on the admin queue. */
  void completeAdmin(int commandId, int result, int status) throws DmaFaultException {
    var admin = submissionQueues[0];
    if (admin != null) {
      post(admin, commandId, result, status);
      signal(admin.completions);
    }
  }

  private void post(SubmissionQueue queue, int commandId, int result, int status)
      throws DmaFaultException {
    var target = queue.completions;
    NvmeCompletion.fill(
        completion,
        result,
        queue.head,
        queue.id,
        commandId,
        NvmeStatus.reported(status),
        target.phase);
    long entry = target.iova + (long) target.tail * NvmeCompletion.SIZE;
    long half = NvmeCompletion.SECOND_HALF_OFFSET;
    // Software polls the phase tag: all that it stands for has to be in memory before it.
    dma.write(entry, completion.asSlice(0, half));
    VarHandle.releaseFence();
    dma.write(entry + half, completion.asSlice(half));
    target.isNew = true;
    target.tail++;
    if (target.tail == target.entries) {
      target.tail = 0;
      target.phase = !target.phase;
    }
  }
}
