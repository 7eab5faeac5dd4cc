// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static java.util.Objects.requireNonNull;

import io.jvfio.DmaMapping;
import io.jvfio.Interrupt;
import io.jvfio.VfioException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An I/O queue pair of one's own: the asynchronous face of the driver. Commands are put into the
 * queue, shown to the controller in one go by {@link #ring()}, and their completions taken by
 * {@link #poll} or {@link #await}. Nothing here allocates, locks, or boxes.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="queue"}
 *
 * <p>A command that the controller does not offer is an {@link UnsupportedOperationException}, and
 * blocks or bytes out of range are an {@link IndexOutOfBoundsException} or {@link
 * IllegalArgumentException}, before anything is put.
 *
 * <p>When the controller was reset, by whoever noticed that it had failed, the commands in flight
 * end with Command Aborted By Host at the next {@link #poll} or {@link #await}, and the queue is
 * created again when the next command is put. Time-outs are noticed by {@link #poll} and {@link
 * #await}: commands of a queue that nobody polls are watched by nobody. Once the controller has
 * failed for good, putting a command throws {@link io.jvfio.VfioException}.
 *
 * <p>Once queue, controller or device is closed, whatever puts, shows or takes commands throws
 * {@link NvmeClosedException}, which tells by what it is closed, and a wait in another thread ends
 * with it. A thread may notice a little later: commands that it puts meanwhile never complete.
 *
 * <p>Not safe for use by several threads at once, but for {@link #close()}.
 */
public final class NvmeQueue implements AutoCloseable {
  /** The controller was reset: none of the commands in flight comes back. */
  private static final int RESET = 1;

  /** The controller does not have the queue (any more). */
  private static final int ABSENT = 1 << 1;

  /** Commands have ended and were not told yet. */
  private static final int ENDED = 1 << 2;

  private static final int CLOSED = 1 << 3;

  private static final int NOT_PUT = -1;

  /** Looks at the ring before a wait for an interrupt. */
  private static final int LOOKS_BEFORE_WAITING = 64;

  /** How often a queue is created again for one command, where the controller fails meanwhile. */
  private static final int MOST_CREATIONS = 3;

  /** An empty poll weighs more towards the next look at the clock: there is time for it. */
  private static final int WEIGHT_OF_EMPTY_POLL = 16;

  private static final int WEIGHT_OF_LOOK_AT_CLOCK = 1024;
  private static final long LEAVING_NANOS = 100_000_000;

  private static final VarHandle ATTENTION;
  private static final VarHandle INSIDE;

  static {
    try {
      var lookup = MethodHandles.lookup();
      ATTENTION = lookup.findVarHandle(NvmeQueue.class, "attention", int.class);
      INSIDE = lookup.findVarHandle(NvmeQueue.class, "inside", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Controller controller;
  private final int id;
  private final int vector;
  private final int entries;
  private final QueueMemory memory;
  private final long submissionIova;
  private final TransferLimits limits;
  private final long maxTransfer;
  private final SubmissionRing submissions;
  private final CompletionRing completions;
  private final CommandSlots slots;
  private final Watchdog watchdog;
  private final Backoff backoff = Backoff.busy();
  private final @Nullable InterruptWait interrupt;

  /** Why the queue is closed; written before {@link #CLOSED}. */
  private volatile @Nullable Closing closing;

  /** What the thread that uses the queue has to see to; written by any thread. */
  private volatile int attention;

  /** The thread that is in a method which touches doorbells, 0 if none; written by that thread. */
  private volatile long inside;

  /** How many resets of the controller the queue has seen. */
  private int resets;

  private int looks;

  /** The commands in flight that are timed; null until the first that is. */
  private @Nullable CommandEvents events;

  /** Guarded by the controller's lock. */
  private boolean isAtController;

  NvmeQueue(
      Controller controller,
      int id,
      int vector,
      int entries,
      QueueMemory memory,
      TransferLimits limits) {
    this.controller = controller;
    this.id = id;
    this.vector = vector;
    this.entries = entries;
    this.memory = memory;
    this.limits = limits;
    maxTransfer = limits.maxBytes();
    var startup = controller.startup();
    var tail = startup.doorbell(id, false);
    var device = startup.controllerMemory(id, entries);
    submissions =
        device == null
            ? new SubmissionRing(memory.segment(), QueueMemory.SUBMISSION_RING, entries, tail)
            : new SubmissionRing(device.registers(), device.ring(id, entries), entries, tail);
    submissionIova = device == null ? memory.submissionIova() : device.iova(id, entries);
    completions =
        new CompletionRing(
            memory.segment(), memory.completionRing(), entries, startup.doorbell(id, true));
    slots = new CommandSlots(entries - 1);
    watchdog = new Watchdog(controller, slots, id);
    Interrupt signal = startup.vectors().interrupt(vector);
    interrupt = signal == null ? null : new InterruptWait(signal);
    resets = controller.resets();
  }

  /** The queue's number at the controller, from 1. */
  public int id() {
    return id;
  }

  /** The number of commands that can be in flight. */
  public int depth() {
    return slots.count();
  }

  /** The number of commands that are put and not completed. */
  public int inFlight() {
    return slots.takenCount();
  }

  /** Bytes that one command can transfer. */
  public long maxTransferBytes() {
    return maxTransfer;
  }

  /** Whether {@link #await} waits for an interrupt rather than polling. */
  public boolean hasInterrupt() {
    return interrupt != null;
  }

  /**
   * Puts a Read of {@code blocks} blocks from {@code lba} into the queue.
   *
   * @param buffer where to; of the controller's device
   * @param offset where in the buffer, in bytes, a multiple of 4
   * @param token comes back with the completion
   * @return false if the queue is full; nothing was put then
   */
  public boolean read(
      NvmeNamespace namespace, long lba, int blocks, DmaMapping buffer, long offset, long token) {
    return transfer(Opcode.READ.code(), 0, namespace, lba, blocks, buffer, offset, token);
  }

  /** Puts a Write, as {@link #read}. */
  public boolean write(
      NvmeNamespace namespace, long lba, int blocks, DmaMapping buffer, long offset, long token) {
    return transfer(Opcode.WRITE.code(), 0, namespace, lba, blocks, buffer, offset, token);
  }

  /** Puts a Write, as {@link #read}, that completes when the data is safe from loss of power. */
  public boolean writeThrough(
      NvmeNamespace namespace, long lba, int blocks, DmaMapping buffer, long offset, long token) {
    return transfer(
        Opcode.WRITE.code(),
        IoCommand.FORCE_UNIT_ACCESS,
        namespace,
        lba,
        blocks,
        buffer,
        offset,
        token);
  }

  /** Puts a Compare, as {@link #read}. */
  public boolean compare(
      NvmeNamespace namespace, long lba, int blocks, DmaMapping buffer, long offset, long token) {
    namespace.require(IoCommand.COMPARE);
    return transfer(Opcode.COMPARE.code(), 0, namespace, lba, blocks, buffer, offset, token);
  }

  /** A command that transfers blocks; {@code flags} are for dword 12. */
  boolean transfer(
      int opcode,
      int flags,
      NvmeNamespace namespace,
      long lba,
      int blocks,
      DmaMapping buffer,
      long offset,
      long token) {
    namespace.checkBlocks(controller, lba, blocks);
    long bytes = (long) blocks << namespace.blockShift();
    Objects.checkFromIndexSize(offset, bytes, buffer.byteSize());
    if ((offset & 3) != 0 || bytes > maxTransfer) {
      throw wrongTransfer(offset, bytes);
    }
    try {
      long iova = buffer.iova() + offset;
      int slot = begin(token);
      if (slot == NOT_PUT) {
        return false;
      }
      long prp2;
      int cdw0 = opcode;
      if (limits.prefersSgls() && (limits.requiresSgls() || isLong(iova, bytes))) {
        prp2 = Sgl.dataBlock(bytes);
        cdw0 |= SubmissionEntry.SGL;
      } else {
        long pages = memory.slotOffset(slot);
        prp2 = PrpList.describe(iova, bytes, memory.segment(), pages, memory.iova(pages));
      }
      submit(
          slot,
          cdw0,
          namespace.id(),
          iova,
          prp2,
          lba,
          Integer.toUnsignedLong(blocks - 1 | flags),
          0);
      return true;
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  /** Whether it takes a list of PRP entries: more than two pages. */
  private static boolean isLong(long iova, long bytes) {
    return (iova & (PrpList.PAGE_SIZE - 1)) + bytes > 2 * PrpList.PAGE_SIZE;
  }

  private IllegalArgumentException wrongTransfer(long offset, long bytes) {
    return new IllegalArgumentException(
        "%d bytes at offset %d: a command transfers up to %d, from a multiple of 4"
            .formatted(bytes, offset, maxTransfer));
  }

  /**
   * Puts a Read into several pieces of memory, whose bytes make whole blocks.
   *
   * @return false if the queue is full; nothing was put then
   */
  public boolean read(NvmeNamespace namespace, long lba, NvmeScatter scatter, long token) {
    return transfer(Opcode.READ.code(), namespace, lba, scatter, token);
  }

  /** Puts a Write, as {@link #read(NvmeNamespace, long, NvmeScatter, long)}. */
  public boolean write(NvmeNamespace namespace, long lba, NvmeScatter scatter, long token) {
    return transfer(Opcode.WRITE.code(), namespace, lba, scatter, token);
  }

  private boolean transfer(
      int opcode, NvmeNamespace namespace, long lba, NvmeScatter scatter, long token) {
    long bytes = scatter.byteSize();
    int blocks = (int) Math.min(bytes >> namespace.blockShift(), Integer.MAX_VALUE);
    namespace.checkBlocks(controller, lba, blocks);
    if (bytes > maxTransfer || (long) blocks << namespace.blockShift() != bytes) {
      throw wrongTransfer(0, bytes);
    }
    boolean usesPrps = !limits.requiresSgls() && scatter.isPaged();
    if (!usesPrps && !limits.supportsSgls()) {
      throw new UnsupportedOperationException(
          "without SGLs, memory has to be scattered in whole pages of 4096 bytes");
    }
    try {
      int slot = begin(token);
      if (slot == NOT_PUT) {
        return false;
      }
      long pages = memory.slotOffset(slot);
      long listIova = memory.iova(pages);
      int cdw0 = opcode;
      long dptr1;
      long dptr2;
      if (usesPrps) {
        dptr1 = scatter.iova(0);
        dptr2 = PrpList.describe(scatter, memory.segment(), pages, listIova);
      } else {
        dptr1 = listIova;
        dptr2 = Sgl.describe(scatter, memory.segment(), pages);
        cdw0 |= SubmissionEntry.SGL;
      }
      submit(slot, cdw0, namespace.id(), dptr1, dptr2, lba, blocks - 1, 0);
      return true;
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  /** Puts a Flush. */
  public boolean flush(NvmeNamespace namespace, long token) {
    namespace.check(controller);
    return put(Opcode.FLUSH.code(), namespace.id(), 0, 0, token);
  }

  /** Puts a Write Zeroes. */
  public boolean writeZeroes(NvmeNamespace namespace, long lba, int blocks, long token) {
    namespace.require(IoCommand.WRITE_ZEROES);
    return putBlocks(Opcode.WRITE_ZEROES, namespace, lba, blocks, token);
  }

  /** Puts a Verify. */
  public boolean verify(NvmeNamespace namespace, long lba, int blocks, long token) {
    namespace.require(IoCommand.VERIFY);
    return putBlocks(Opcode.VERIFY, namespace, lba, blocks, token);
  }

  /** A command for blocks, without data. */
  boolean putBlocks(Opcode opcode, NvmeNamespace namespace, long lba, int blocks, long token) {
    namespace.checkBlocks(controller, lba, blocks);
    return put(opcode.code(), namespace.id(), lba, blocks - 1, token);
  }

  /** Puts a Dataset Management that deallocates ranges: what they held is not needed any more. */
  public boolean deallocate(NvmeNamespace namespace, NvmeRanges ranges, long token) {
    namespace.require(IoCommand.DATASET_MANAGEMENT);
    namespace.checkRanges(controller, ranges);
    try {
      int slot = begin(token);
      if (slot == NOT_PUT) {
        return false;
      }
      long page = memory.slotOffset(slot);
      IoCommand.writeDatasetRanges(ranges, memory.segment(), page);
      putWithPage(
          slot,
          Opcode.DATASET_MANAGEMENT.code(),
          namespace,
          page,
          IoCommand.datasetBytes(ranges),
          SubmissionEntry.pair(ranges.size() - 1, IoCommand.DEALLOCATE),
          0);
      return true;
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  /** Puts a Copy of ranges to where they lie behind each other from {@code targetLba}. */
  public boolean copy(NvmeNamespace namespace, NvmeRanges sources, long targetLba, long token) {
    namespace.require(IoCommand.COPY);
    namespace.checkCopy(controller, sources, targetLba);
    try {
      int slot = begin(token);
      if (slot == NOT_PUT) {
        return false;
      }
      long page = memory.slotOffset(slot);
      IoCommand.writeCopyRanges(sources, memory.segment(), page);
      putWithPage(
          slot,
          Opcode.COPY.code(),
          namespace,
          page,
          IoCommand.copyBytes(sources),
          targetLba,
          sources.size() - 1);
      return true;
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  private void putWithPage(
      int slot,
      int opcode,
      NvmeNamespace namespace,
      long page,
      long bytes,
      long cdw10and11,
      long cdw12and13) {
    boolean usesSgl = limits.requiresSgls();
    submit(
        slot,
        usesSgl ? opcode | SubmissionEntry.SGL : opcode,
        namespace.id(),
        memory.iova(page),
        usesSgl ? Sgl.dataBlock(bytes) : 0,
        cdw10and11,
        cdw12and13,
        0);
  }

  /**
   * Puts any command, as it is: a way to what this driver has no method for. Nothing of it is
   * checked but the memory; what it does to the controller is the caller's affair.
   *
   * @param namespaceId the namespace, 0 for none or -1 for all
   * @param buffer the data, from its first byte to its last; null for a command without data
   * @throws IllegalArgumentException if the opcode is not 0 to 255, or the buffer is longer than
   *     {@link #maxTransferBytes()}
   * @return false if the queue is full; nothing was put then
   */
  public boolean command(
      NvmeCommand command, int namespaceId, @Nullable DmaMapping buffer, long token) {
    long bytes = buffer == null ? 0 : buffer.byteSize();
    if (bytes > maxTransfer) {
      throw wrongTransfer(0, bytes);
    }
    try {
      long iova = buffer == null ? 0 : buffer.iova();
      int slot = begin(token);
      if (slot == NOT_PUT) {
        return false;
      }
      long pages = memory.slotOffset(slot);
      long prp2 =
          buffer == null
              ? 0
              : PrpList.describe(iova, bytes, memory.segment(), pages, memory.iova(pages));
      submit(
          slot,
          command.opcode(),
          namespaceId,
          iova,
          prp2,
          command.cdw10and11(),
          command.cdw12and13(),
          command.cdw14and15());
      return true;
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  private boolean put(int opcode, int namespaceId, long cdw10and11, long cdw12and13, long token) {
    try {
      int slot = begin(token);
      if (slot == NOT_PUT) {
        return false;
      }
      submit(slot, opcode, namespaceId, 0, 0, cdw10and11, cdw12and13, 0);
      return true;
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  /**
   * Puts the command of a slot into the ring.
   *
   * @param opcodeAndFlags bits 15:0 of dword 0; the command identifier comes with the slot
   */
  private void submit(
      int slot,
      int opcodeAndFlags,
      int namespaceId,
      long dptr1,
      long dptr2,
      long cdw10and11,
      long cdw12and13,
      long cdw14and15) {
    int cdw0 = opcodeAndFlags | slots.id(slot) << 16;
    if (CommandEvents.areOn()) {
      if (events == null) {
        events = new CommandEvents(controller.name(), id, slots.count());
      }
      events.started(slot, opcodeAndFlags & 0xff, namespaceId, cdw10and11, cdw12and13);
    }
    submissions.put(cdw0, namespaceId, dptr1, dptr2, cdw10and11, cdw12and13, cdw14and15);
  }

  /** Takes a slot for a command, if there is one. */
  private int begin(long token) {
    if (attention != 0) {
      prepare();
    }
    return slots.hasFree() ? slots.take(token) : NOT_PUT;
  }

  /** Sees to it that a command can be put: after a reset the queue is created again. */
  private void prepare() {
    int bits = requireOpen();
    if ((bits & RESET) != 0) {
      endInFlight();
    }
    for (int left = MOST_CREATIONS; (attention & ABSENT) != 0; left--) {
      try {
        controller.run(this::createAgain);
      } catch (VfioException e) {
        // The controller failed once more, and was reset: nothing is put yet, so nothing is lost.
        if (left == 0 || !controller.isAlive()) {
          throw e;
        }
      }
    }
  }

  /** With the controller's lock. */
  private void createAgain() {
    requireOpen();
    // Another reset may have come before the lock was there.
    endInFlight();
    resets = controller.resets();
    controller.queues().create(this);
    ATTENTION.getAndBitwiseAnd(this, ~ABSENT);
  }

  private void endInFlight() {
    ATTENTION.getAndBitwiseAnd(this, ~RESET);
    slots.endAll();
    ATTENTION.getAndBitwiseOr(this, slots.hasEnded() ? ABSENT | ENDED : ABSENT);
  }

  private int requireOpen() {
    int bits = attention;
    if ((bits & CLOSED) != 0) {
      throw closed(null);
    }
    return bits;
  }

  /** What to throw once the queue is marked as closed. */
  private NvmeClosedException closed(@Nullable Throwable cause) {
    return requireNonNull(closing).exception(label(), cause);
  }

  private String label() {
    return "queue %d of %s".formatted(id, controller.name());
  }

  /** What was thrown for memory, registers or an interrupt; or that they were closed meanwhile. */
  private RuntimeException explained(IllegalStateException thrown) {
    return (attention & CLOSED) != 0 && !(thrown instanceof NvmeClosedException)
        ? closed(thrown)
        : controller.explained(label(), thrown);
  }

  /** Shows the controller all commands put so far: one doorbell write, or none. */
  public void ring() {
    long before = enter();
    try {
      // What was put before a reset has ended.
      if (attention == 0 || (requireOpen() & (RESET | ABSENT)) == 0) {
        submissions.show();
      }
    } catch (RuntimeException | Error e) {
      fail(e);
    } finally {
      leave(before);
    }
  }

  /** The registers failed: the controller is gone, or will be reset. */
  private void fail(Throwable cause) {
    requireOpen();
    requireOpenDevice(cause);
    controller.recoverFrom(cause, resets);
  }

  private void requireOpenDevice(@Nullable Throwable cause) {
    if (controller.isDeviceClosed()) {
      throw controller.closed(label(), cause).orElseThrow();
    }
  }

  /** Looks after the device, and after commands that take long. */
  private void look() {
    requireOpenDevice(null);
    watchdog.look(resets);
  }

  private long enter() {
    long before = inside;
    INSIDE.setOpaque(this, Thread.currentThread().threadId());
    return before;
  }

  private void leave(long before) {
    INSIDE.setRelease(this, before);
  }

  /**
   * Takes the completions there are, without waiting.
   *
   * @return how many
   */
  public int poll(NvmeCompletionHandler handler) {
    long before = enter();
    try {
      int ended = attention == 0 ? 0 : tellEnded(handler);
      if (ended > 0 || attention != 0) {
        return ended;
      }
      int count = takeCompletions(handler);
      looks += count == 0 ? WEIGHT_OF_EMPTY_POLL : 1;
      if (looks >= WEIGHT_OF_LOOK_AT_CLOCK) {
        looks = 0;
        look();
      }
      return count;
    } finally {
      leave(before);
    }
  }

  private long peek() {
    try {
      return completions.peek();
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  /** Takes the completion at the head of the ring; dword 0 of it. */
  private int take() {
    try {
      int result = completions.result();
      completions.take();
      return result;
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  private int takeCompletions(NvmeCompletionHandler handler) {
    int count = 0;
    try {
      long last = peek();
      // A handler that puts as fast as the controller completes does not keep its caller for ever.
      while (last != CompletionRing.NONE && count < entries) {
        int commandId = CompletionEntry.commandId((int) last);
        int slot = slots.slotOf(commandId);
        if (slot == CommandSlots.NONE) {
          controller.recoverFrom(controller.registers().unknownCompletion(id, commandId), resets);
          return count;
        }
        int result = take();
        slots.give(slot);
        count++;
        ended(handler, slot, CompletionEntry.status((int) last), result);
        if (attention != 0) {
          return count;
        }
        last = peek();
      }
    } finally {
      if (count > 0 && attention == 0) {
        acknowledge();
      }
    }
    return count;
  }

  /** Tells of a command whose slot was given back. */
  private void ended(NvmeCompletionHandler handler, int slot, int status, int result) {
    var timed = events;
    if (timed != null) {
      timed.ended(slot, status);
    }
    handler.completed(slots.token(slot), status, result);
  }

  private void acknowledge() {
    try {
      completions.acknowledge();
    } catch (RuntimeException | Error e) {
      fail(e);
    }
  }

  /** Tells of the commands that a reset has ended. */
  private int tellEnded(NvmeCompletionHandler handler) {
    if ((requireOpen() & RESET) != 0) {
      endInFlight();
    }
    int count = 0;
    while (slots.hasEnded()) {
      int slot = slots.giveEnded();
      count++;
      ended(handler, slot, NvmeStatusException.ABORTED_BY_HOST, 0);
      requireOpen();
    }
    ATTENTION.getAndBitwiseAnd(this, ~ENDED);
    return count;
  }

  /**
   * Shows the controller all commands put so far, takes completions, and waits for the first: by
   * interrupt where the queue has one, by polling otherwise.
   *
   * @param timeoutNanos how long to wait
   * @return how many; 0 when the time is over or nothing is in flight
   */
  public int await(NvmeCompletionHandler handler, long timeoutNanos) {
    ring();
    int count = poll(handler);
    if (count > 0 || slots.takenCount() == 0) {
      return count;
    }
    return interrupt == null
        ? awaitPolling(handler, timeoutNanos)
        : awaitInterrupt(interrupt, handler, timeoutNanos);
  }

  private int awaitPolling(NvmeCompletionHandler handler, long timeoutNanos) {
    backoff.restart(timeoutNanos);
    while (true) {
      // The time is read before the look: a late look at the clock fails no one.
      boolean expired = backoff.isExpired();
      int count = poll(handler);
      if (count > 0 || expired || slots.takenCount() == 0) {
        return count;
      }
      backoff.pause();
    }
  }

  private int awaitInterrupt(
      InterruptWait signal, NvmeCompletionHandler handler, long timeoutNanos) {
    for (int i = 0; i < LOOKS_BEFORE_WAITING; i++) {
      Thread.onSpinWait();
      int count = poll(handler);
      if (count > 0) {
        return count;
      }
    }
    long start = System.nanoTime();
    long before = enter();
    try {
      while (true) {
        long left = timeoutNanos - (System.nanoTime() - start);
        if (left > 0) {
          // A signal from before the last look ends the wait at once: none is lost.
          await(signal, left);
        }
        int count = poll(handler);
        if (count > 0 || left <= 0 || slots.takenCount() == 0) {
          return count;
        }
        look();
      }
    } finally {
      leave(before);
    }
  }

  private void await(InterruptWait signal, long nanos) {
    try {
      signal.await(nanos);
    } catch (IllegalStateException e) {
      throw explained(e);
    }
  }

  /**
   * Makes the exception for a completion with an error. The command may have been ended because the
   * controller is being closed: then that is the cause.
   *
   * @param status as given to {@link NvmeCompletionHandler}
   * @param command what failed, in the caller's words, such as {@code Read of block 7}
   */
  public NvmeStatusException failure(int status, String command) {
    var why = NvmeStatusException.isAbort(status) ? whyClosed() : null;
    return new NvmeStatusException(command, label(), status, why);
  }

  private @Nullable NvmeClosedException whyClosed() {
    return closing == null ? controller.closed(label(), null).orElse(null) : closed(null);
  }

  /**
   * Deletes the queue at the controller and frees its memory after that. Commands in flight are
   * ended; when this returns, the device does not touch their memory any more. Whoever polls
   * meanwhile may still be told of some of them, and gets an {@link NvmeClosedException} after
   * that, in {@link #await} too. Idempotent, and safe from another thread. A device that is closed,
   * or about to be, is asked for nothing any more; the memory is freed with the controller then.
   *
   * @throws io.jvfio.VfioException if the controller does not answer, and could not be reset
   */
  @Override
  public void close() {
    controller.close(this);
  }

  int entries() {
    return entries;
  }

  int vector() {
    return vector;
  }

  QueueMemory memory() {
    return memory;
  }

  /** Where the controller finds the submission ring. */
  long submissionIova() {
    return submissionIova;
  }

  /** With the controller's lock. */
  boolean isAtController() {
    return isAtController;
  }

  /** With the controller's lock. */
  void isAtController(boolean value) {
    isAtController = value;
  }

  /** All entries are free again; by the thread that uses the queue, with the controller's lock. */
  void restartRings() {
    submissions.restart();
    completions.restart();
  }

  /** From any thread: the controller was stopped. */
  void markReset() {
    ATTENTION.getAndBitwiseOr(this, RESET);
    wake();
  }

  /** From any thread: the queue was deleted at the controller, or that was stopped. */
  void markClosed(Closing why) {
    if (closing == null) {
      closing = why;
    }
    ATTENTION.getAndBitwiseOr(this, CLOSED);
    wake();
  }

  private void wake() {
    if (interrupt != null) {
      try {
        interrupt.wake();
      } catch (RuntimeException e) {
        // A device that is gone cannot be signalled; the wait ends by itself, a little later.
      }
    }
  }

  /**
   * Whether no other thread touches the doorbells any more, once {@link #markClosed} was called and
   * the memory freed. Freeing shared memory has each thread pass a point at which it has either
   * seen that the queue is closed or shown that it is inside; so they need no fence on every call.
   */
  // The other thread may need this processor to get on.
  @SuppressWarnings("ThreadPriorityCheck")
  boolean isLeft() {
    long start = System.nanoTime();
    while (true) {
      long thread = inside;
      if (thread == 0 || thread == Thread.currentThread().threadId()) {
        return true;
      }
      if (System.nanoTime() - start > LEAVING_NANOS) {
        return false;
      }
      Thread.yield();
    }
  }

  @Override
  public String toString() {
    return label();
  }
}
