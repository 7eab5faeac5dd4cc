// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static java.util.Objects.requireNonNull;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.nvme.StorageRequest.Operation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The I/O commands. Source: NVM Command Set Specification, "Command Set".
 *
 * <p>A command becomes a task, which goes from step to step: each is one request to the storage.
 * When that has ended, at once or later, the task is ready for its next step, or to complete. What
 * a command takes is bounded in each round; long commands go on in the next one, and others come in
 * between.
 */
final class NvmeIo {
  static final int FLUSH = 0x00;
  static final int WRITE = 0x01;
  static final int READ = 0x02;
  static final int COMPARE = 0x05;
  static final int WRITE_ZEROES = 0x08;
  static final int DATASET_MANAGEMENT = 0x09;
  static final int VERIFY = 0x0c;
  static final int COPY = 0x19;

  static final int ALL_NAMESPACES = -1;

  /** Blocks of the longest source range of Copy, and of all of them; and how many there may be. */
  static final int MAX_COPY_RANGE = 0xffff;

  static final int MAX_COPY = 1 << 20;
  static final int MAX_COPY_RANGES = 256;

  private static final int FORCE_UNIT_ACCESS = 1 << 30;
  private static final int DEALLOCATE = 1 << 2;
  private static final int DEALLOCATE_ZEROES = 1 << 25;
  private static final long RANGE_SIZE = 16;
  private static final long COPY_RANGE_SIZE = 32;
  private static final int BUFFER_SIZE = 128 << 10;
  private static final int MOST_BUFFERS = 16;

  /** How many commands are under way at most: what they need is kept for those after them. */
  private static final int MOST_TASKS = 4096;

  /**
   * How many pieces of memory and of namespaces the commands under way have at most, but for those
   * of the last one. With what a storage needs for each that is about 10 MiB.
   */
  private static final int MOST_PIECES = 1 << 17;

  /** About a millisecond of copying: as long as a round may take, and a register waits. */
  static final long ROUND_BYTES = 2 << 20;

  /** What a request costs besides its bytes. */
  static final long REQUEST_BYTES = 4 << 10;

  /** The taker of commands that have completed. */
  interface Sink {
    /**
     * A command is done.
     *
     * @param status as it came out, not as it is reported
     */
    void completed(NvmeTask task, int status) throws DmaFaultException;
  }

  private final NvmeModelOptions.Settings options;
  private final DmaPort dma;
  private final NvmeData data;
  private final NvmeFeatures features;
  private final NvmeLogPages logPages;
  private final List<NvmeNamespace> namespaces;
  private final Arena arena;
  private final MemorySegment scratch;
  private final List<NvmeTask> tasks = new ArrayList<>();
  private final ArrayDeque<NvmeTask> free = new ArrayDeque<>();
  private final ArrayDeque<NvmeTask> ready = new ArrayDeque<>();
  private final ArrayDeque<NvmeTask> unbuffered = new ArrayDeque<>();
  private final ArrayDeque<MemorySegment> buffers = new ArrayDeque<>();
  private int buffersMade;
  private int pieces;
  private long bytesLeft;

  /** Commands were left in their queues since too many were under way. */
  private boolean isFull;

  private int unstarted;

  /** The task that makes all persistent for a shutdown, or null. */
  private @Nullable NvmeTask shutdown;

  private boolean owesShutdown;

  NvmeIo(
      NvmeModelOptions.Settings options,
      DmaPort dma,
      NvmeData data,
      NvmeFeatures features,
      NvmeLogPages logPages,
      List<NvmeNamespace> namespaces,
      Arena arena) {
    this.options = options;
    this.dma = dma;
    this.data = data;
    this.features = features;
    this.logPages = logPages;
    this.namespaces = namespaces;
    this.arena = arena;
    scratch = arena.allocate(BUFFER_SIZE, Long.BYTES);
  }

  /** A round of work begins, which has its share of time. */
  void beginRound() {
    bytesLeft = ROUND_BYTES;
  }

  /** All queues are looked at: what has been left in them is found again. */
  void lookAgain() {
    isFull = false;
  }

  /** A command was fetched, and its memory was looked for, whatever becomes of it. */
  void countCommand() {
    bytesLeft -= REQUEST_BYTES + data.takeCost();
  }

  /** Whether this round has done its share. */
  boolean isRoundOver() {
    return bytesLeft <= 0;
  }

  /** Whether as many commands are under way as can be: no more are to be begun. */
  boolean isFull() {
    isFull = !hasRoom();
    return isFull;
  }

  private boolean hasRoom() {
    return tasks.size() - free.size() < MOST_TASKS && pieces < MOST_PIECES;
  }

  /** Whether there may be more to do at once, which the end of the round has cut short. */
  boolean hasMore() {
    return isReady() || bytesLeft <= 0 || (isFull && hasRoom());
  }

  /**
   * Begins a command.
   *
   * @return a status if it is done, which only commands are that cannot begin; else {@link
   *     NvmeStatus#PENDING}
   */
  int execute(NvmeCommand command) throws DmaFaultException {
    begun = null;
    int status;
    try {
      status = dispatch(command);
    } catch (DmaFaultException | RuntimeException | Error e) {
      if (begun != null) {
        giveUp(begun);
      }
      throw e;
    }
    if (status == NvmeStatus.PENDING) {
      var task = begun();
      task.pieces = task.runs.count() + task.rangeCount;
      pieces += task.pieces;
    }
    return status;
  }

  private int dispatch(NvmeCommand command) throws DmaFaultException {
    if (command.opcode() == FLUSH && command.namespaceId() == ALL_NAMESPACES) {
      return flushAll(begin(command, null));
    }
    if (command.opcode() > READ && !options.hasOptionalCommands) {
      return NvmeStatus.INVALID_OPCODE;
    }
    var namespace = find(command.namespaceId());
    return switch (command.opcode()) {
      case FLUSH ->
          namespace == null ? NvmeStatus.INVALID_NAMESPACE : flush(begin(command, namespace));
      case READ, COMPARE, VERIFY ->
          namespace == null ? NvmeStatus.INVALID_NAMESPACE : read(command, namespace);
      case WRITE, WRITE_ZEROES, DATASET_MANAGEMENT, COPY -> write(command, namespace);
      default -> NvmeStatus.INVALID_OPCODE;
    };
  }

  private @Nullable NvmeNamespace find(int id) {
    return id >= 1 && id <= namespaces.size() ? namespaces.get(id - 1) : null;
  }

  private NvmeTask begin(NvmeCommand command, @Nullable NvmeNamespace namespace) {
    var task = free.poll();
    if (task == null) {
      task = new NvmeTask(this);
      tasks.add(task);
    }
    task.begin(command, namespace);
    begun = task;
    return task;
  }

  /** The task of the command that has begun last. */
  private @Nullable NvmeTask begun;

  /** The task of the command for which {@link #execute} has just returned PENDING. */
  NvmeTask begun() {
    return requireNonNull(begun);
  }

  private void release(NvmeTask task) {
    task.end();
    pieces -= task.pieces;
    task.pieces = 0;
    var buffer = task.buffer;
    if (buffer != null) {
      task.buffer = null;
      var next = unbuffered.poll();
      if (next == null) {
        buffers.add(buffer);
      } else {
        next.buffer = buffer; // and not that of whoever comes in between
        ready.add(next);
      }
    }
    free.push(task); // what it has grown to is used first
    if (task.equals(shutdown)) {
      shutdown = null;
      if (owesShutdown) {
        owesShutdown = false;
        shutDown();
      }
    }
  }

  /** Lets go of a task at which something was thrown: nobody else does, but for its storage. */
  private void giveUp(NvmeTask task) {
    if (task.isLive && !task.isSubmitted && !ready.contains(task)) {
      unbuffered.remove(task);
      release(task);
    }
  }

  private void submit(NvmeTask task, StorageRequest request) {
    bytesLeft -= REQUEST_BYTES;
    unstarted++;
    task.isSubmitted = true;
    requireNonNull(task.namespace).storage().submit(request);
    bytesLeft -= request.extraBytes();
  }

  /** How many requests the storages have and were not told to start. */
  int unstarted() {
    return unstarted;
  }

  /** Has the storages begin what was submitted. */
  void start() {
    if (unstarted > 0) {
      unstarted = 0;
      for (int i = 0; i < namespaces.size(); i++) {
        namespaces.get(i).storage().start();
      }
    }
  }

  /** Sees what the storages have done; whether there was anything. */
  boolean poll() {
    boolean worked = false;
    for (int i = 0; i < namespaces.size(); i++) {
      worked |= namespaces.get(i).storage().poll();
    }
    return worked;
  }

  /** A storage has done with the request of a task. */
  void ended(NvmeTask task) {
    task.isSubmitted = false;
    ready.add(task);
  }

  /** Whether there are tasks that can go on. */
  boolean isReady() {
    return !ready.isEmpty();
  }

  /**
   * Lets tasks go on that can, as long as the round lasts. What only has to be told of takes no
   * part of it: others wait for that.
   */
  void advance(Sink sink) throws DmaFaultException {
    while (!ready.isEmpty()) {
      var task = ready.remove();
      if (task.isAbandoned) {
        release(task);
        continue;
      }
      int status = next(task);
      if (status != NvmeStatus.PENDING) {
        finish(task, status, sink);
      } else if (bytesLeft <= 0) {
        return;
      }
    }
  }

  private void finish(NvmeTask task, int status, Sink sink) throws DmaFaultException {
    try {
      sink.completed(task, status);
      task.completed(options.serial, status);
    } finally {
      release(task);
    }
  }

  /** The next step of a task whose request has ended, or that waited for memory. */
  private int next(NvmeTask task) {
    try {
      return step(task);
    } catch (DmaFaultException _) {
      return NvmeStatus.DATA_TRANSFER_ERROR;
    } catch (RuntimeException | Error e) {
      giveUp(task);
      throw e;
    }
  }

  private int step(NvmeTask task) throws DmaFaultException {
    if (task.isCancelled) {
      return task.cancelStatus;
    }
    if (task.waitsForMemory) {
      task.waitsForMemory = false;
      return task.command.opcode() == COPY ? copyStep(task) : readOn(task);
    }
    var result = task.request.result();
    if (result != StorageResult.DONE) {
      int status = status(task, result);
      if (task.command.opcode() != FLUSH || result == StorageResult.CANCELLED) {
        return status;
      }
      task.failure = task.failure == NvmeStatus.SUCCESS ? status : task.failure;
    }
    return switch (task.command.opcode()) {
      case READ -> {
        logPages.countRead(task.request.byteSize());
        yield NvmeStatus.SUCCESS;
      }
      case WRITE -> {
        logPages.countWrite(task.request.byteSize());
        yield NvmeStatus.SUCCESS;
      }
      case COMPARE -> compared(task);
      case VERIFY -> readOn(task);
      case DATASET_MANAGEMENT, WRITE_ZEROES -> clearOn(task);
      case COPY -> copyOn(task);
      case FLUSH -> flushOn(task);
      default -> NvmeStatus.SUCCESS;
    };
  }

  private int status(NvmeTask task, StorageResult result) {
    return switch (result) {
      case DONE -> NvmeStatus.SUCCESS;
      case MEMORY_FAULT -> NvmeStatus.DATA_TRANSFER_ERROR;
      case FULL -> NvmeStatus.CAPACITY_EXCEEDED;
      case READ_ONLY -> NvmeStatus.WRITE_PROTECTED;
      case FAILED -> {
        boolean isRead = task.request.operation() == Operation.READ;
        logPages.countMediaError();
        yield isRead ? NvmeStatus.UNRECOVERED_READ_ERROR : NvmeStatus.WRITE_FAULT;
      }
      case CANCELLED -> task.cancelStatus;
    };
  }

  static long firstBlock(NvmeCommand command) {
    return command.cdw10And11();
  }

  static long blockCount(NvmeCommand command) {
    return (command.cdw12() & 0xffff) + 1L;
  }

  /** Without a write cache, and with Force Unit Access, what is completed is persistent. */
  private boolean isDurable(NvmeCommand command) {
    return (command.cdw12() & FORCE_UNIT_ACCESS) != 0 || !features.isWriteCacheEnabled();
  }

  private int flush(NvmeTask task) {
    var storage = requireNonNull(task.namespace).storage();
    submit(task, task.request.range(Operation.SYNC, 0, storage.byteSize(), false));
    return NvmeStatus.PENDING;
  }

  private int flushAll(NvmeTask task) {
    task.range = 0;
    task.rangeCount = namespaces.size();
    task.namespace = namespaces.getFirst();
    return flush(task);
  }

  private int flushOn(NvmeTask task) {
    task.range++;
    if (task.range >= task.rangeCount) {
      return task.failure;
    }
    task.namespace = namespaces.get(task.range);
    return flush(task);
  }

  /**
   * Makes all namespaces persistent, for a controller that is being shut down. There is one such
   * task at a time: who asks meanwhile waits for another one after it, as what was written since is
   * not that one's.
   */
  void shutDown() {
    if (shutdown != null) {
      owesShutdown = true;
      return;
    }
    var task = begin(new NvmeCommand(), null);
    task.isOfShutdown = true;
    shutdown = task;
    flushAll(task);
  }

  /** Whether a shutdown was asked for that has not begun. */
  boolean owesShutdown() {
    return owesShutdown;
  }

  private int read(NvmeCommand command, NvmeNamespace namespace) throws DmaFaultException {
    if (!namespace.contains(firstBlock(command), blockCount(command))) {
      return NvmeStatus.LBA_OUT_OF_RANGE;
    }
    long offset = firstBlock(command) << namespace.blockShift();
    long length = blockCount(command) << namespace.blockShift();
    var task = begin(command, namespace);
    int status =
        switch (command.opcode()) {
          case READ -> data.mapToHost(command, length, task.runs);
          case COMPARE -> data.mapFromHost(command, length, task.runs);
          default -> NvmeStatus.SUCCESS;
        };
    if (status != NvmeStatus.SUCCESS) {
      release(task);
      return status;
    }
    if (command.opcode() == READ) {
      bytesLeft -= length;
      submit(task, task.request.transfer(Operation.READ, offset, length, task.runs, dma, false));
      return NvmeStatus.PENDING;
    }
    if (command.opcode() == COMPARE) {
      logPages.countRead(length);
    }
    task.setRange(0, offset, length);
    return readOn(task);
  }

  /** Reads the next piece of the range into the controller's own memory. */
  private int readOn(NvmeTask task) {
    if (task.command.opcode() == VERIFY) {
      task.done += task.step;
    }
    task.step = Math.min(BUFFER_SIZE, task.rangeSize() - task.done);
    if (task.step == 0) {
      return NvmeStatus.SUCCESS;
    }
    var buffer = buffer(task);
    if (buffer == null) {
      task.step = 0;
      return NvmeStatus.PENDING;
    }
    bytesLeft -= task.step;
    submit(
        task,
        task.request.transfer(Operation.READ, task.rangeOffset() + task.done, task.step, buffer));
    return NvmeStatus.PENDING;
  }

  /** Memory for a task; null if there is none until another one is done, which wakes it. */
  private @Nullable MemorySegment buffer(NvmeTask task) {
    var buffer = task.buffer;
    if (buffer == null) {
      buffer = buffers.poll();
      if (buffer == null && buffersMade < MOST_BUFFERS) {
        buffersMade++;
        buffer = arena.allocate(BUFFER_SIZE, 4096);
      }
      task.buffer = buffer;
      if (buffer == null) {
        task.waitsForMemory = true;
        unbuffered.add(task);
      }
    }
    return buffer;
  }

  private int compared(NvmeTask task) throws DmaFaultException {
    bytesLeft -= task.step;
    task.runs.read(dma, task.done, scratch, 0, task.step);
    var stored = requireNonNull(task.buffer);
    if (MemorySegment.mismatch(stored, 0, task.step, scratch, 0, task.step) >= 0) {
      return NvmeStatus.COMPARE_FAILURE;
    }
    task.done += task.step;
    return readOn(task);
  }

  private int write(NvmeCommand command, @Nullable NvmeNamespace namespace)
      throws DmaFaultException {
    if (namespace == null) {
      return NvmeStatus.INVALID_NAMESPACE;
    }
    if (namespace.isReadOnly()) {
      return NvmeStatus.WRITE_PROTECTED;
    }
    var task = begin(command, namespace);
    int status =
        switch (command.opcode()) {
          case DATASET_MANAGEMENT -> manage(task, namespace);
          case COPY -> copy(task, namespace);
          default -> writeBlocks(task, namespace);
        };
    if (status != NvmeStatus.PENDING) {
      command.result(task.command.result());
      release(task);
    }
    return status;
  }

  private int writeBlocks(NvmeTask task, NvmeNamespace namespace) throws DmaFaultException {
    var command = task.command;
    if (!namespace.contains(firstBlock(command), blockCount(command))) {
      return NvmeStatus.LBA_OUT_OF_RANGE;
    }
    long offset = firstBlock(command) << namespace.blockShift();
    long length = blockCount(command) << namespace.blockShift();
    boolean isDurable = isDurable(command);
    if (command.opcode() == WRITE_ZEROES) {
      task.setRange(0, offset, length);
      task.rangeCount = 1;
      return clearOn(task);
    }
    int status = data.mapFromHost(command, length, task.runs);
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    bytesLeft -= length;
    submit(task, task.request.transfer(Operation.WRITE, offset, length, task.runs, dma, isDurable));
    return NvmeStatus.PENDING;
  }

  private int manage(NvmeTask task, NvmeNamespace namespace) throws DmaFaultException {
    var command = task.command;
    int ranges = (command.cdw10() & 0xff) + 1;
    int status = data.read(command, scratch, ranges * RANGE_SIZE);
    if (status != NvmeStatus.SUCCESS || (command.cdw11() & DEALLOCATE) == 0) {
      return status; // the other attributes are hints
    }
    int shift = namespace.blockShift();
    for (int range = 0; range < ranges; range++) {
      long first = scratch.get(LE64, range * RANGE_SIZE + 8);
      long count = Integer.toUnsignedLong(scratch.get(LE32, range * RANGE_SIZE + 4));
      if (!namespace.contains(first, count)) {
        return NvmeStatus.LBA_OUT_OF_RANGE;
      }
      task.setRange(range, first << shift, count << shift);
    }
    task.rangeCount = ranges;
    return clearOn(task);
  }

  /** Clears the next piece of the ranges. */
  private int clearOn(NvmeTask task) {
    task.done += task.step;
    while (task.done == task.rangeSize()) {
      task.done = 0;
      task.range++;
      if (task.range >= task.rangeCount) {
        return NvmeStatus.SUCCESS;
      }
    }
    var command = task.command;
    boolean keepsRoom =
        command.opcode() == WRITE_ZEROES && (command.cdw12() & DEALLOCATE_ZEROES) == 0;
    boolean isDurable = command.opcode() == WRITE_ZEROES && isDurable(command);
    long longest = requireNonNull(task.namespace).storage().longestClear();
    task.step = Math.min(longest, task.rangeSize() - task.done);
    bytesLeft -= Math.min(task.step, ROUND_BYTES / 8);
    submit(
        task,
        task.request.range(
            keepsRoom ? Operation.ZERO : Operation.CLEAR,
            task.rangeOffset() + task.done,
            task.step,
            isDurable));
    return NvmeStatus.PENDING;
  }

  private int copy(NvmeTask task, NvmeNamespace namespace) throws DmaFaultException {
    var command = task.command;
    int ranges = (command.cdw12() & 0xff) + 1;
    int format = (command.cdw12() >> 8) & 0xf;
    if (format != 0) {
      return NvmeStatus.INVALID_FIELD;
    }
    int status = data.read(command, scratch, ranges * COPY_RANGE_SIZE);
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    int shift = namespace.blockShift();
    long total = 0;
    for (int range = 0; range < ranges; range++) {
      long source = scratch.get(LE64, range * COPY_RANGE_SIZE + 8);
      long count = Short.toUnsignedLong(scratch.get(LE16, range * COPY_RANGE_SIZE + 16)) + 1;
      total += count;
      if (count > MAX_COPY_RANGE || total > MAX_COPY) {
        return NvmeStatus.COMMAND_SIZE_LIMIT_EXCEEDED;
      }
      if (!namespace.contains(source, count)) {
        command.result(range);
        return NvmeStatus.LBA_OUT_OF_RANGE;
      }
      task.setRange(range, source << shift, count << shift);
    }
    if (!namespace.contains(firstBlock(command), total)) {
      return NvmeStatus.LBA_OUT_OF_RANGE;
    }
    task.rangeCount = ranges;
    task.targetBegin = firstBlock(command) << shift;
    task.target = task.targetBegin;
    task.targetSize = total << shift;
    return copyStep(task);
  }

  /** A piece was read, or written, or all of it made persistent. */
  private int copyOn(NvmeTask task) {
    if (task.request.operation() == Operation.SYNC) {
      return NvmeStatus.SUCCESS;
    }
    if (!task.isWriting) {
      task.isWriting = true;
      bytesLeft -= task.step;
      submit(
          task,
          task.request.transfer(
              Operation.WRITE, task.target, task.step, requireNonNull(task.buffer)));
      return NvmeStatus.PENDING;
    }
    task.isWriting = false;
    task.target += task.step;
    task.done += task.step;
    if (task.done == task.rangeSize()) {
      task.done = 0;
      task.range++;
    }
    return copyStep(task);
  }

  /** Reads the next piece of what is to be copied. */
  private int copyStep(NvmeTask task) {
    task.step = 0;
    if (task.range == task.rangeCount) {
      if (!isDurable(task.command)) {
        return NvmeStatus.SUCCESS;
      }
      submit(task, task.request.range(Operation.SYNC, task.targetBegin, task.targetSize, false));
      return NvmeStatus.PENDING;
    }
    var buffer = buffer(task);
    if (buffer == null) {
      return NvmeStatus.PENDING;
    }
    task.step = Math.min(BUFFER_SIZE, task.rangeSize() - task.done);
    bytesLeft -= task.step;
    submit(
        task,
        task.request.transfer(Operation.READ, task.rangeOffset() + task.done, task.step, buffer));
    return NvmeStatus.PENDING;
  }

  /**
   * Gives up a command that nothing has been done for yet.
   *
   * @return false if there is none, or it goes on
   */
  boolean abort(int queueId, int commandId) {
    for (int i = 0; i < tasks.size(); i++) {
      var task = tasks.get(i);
      if (isOf(task, queueId) && task.command.id() == commandId) {
        return cancel(task, NvmeStatus.ABORT_REQUESTED);
      }
    }
    return false;
  }

  /** Gives up the commands of a queue that nothing has been done for yet. */
  void abortAll(int queueId) {
    for (int i = 0; i < tasks.size(); i++) {
      var task = tasks.get(i);
      if (isOf(task, queueId)) {
        cancel(task, NvmeStatus.ABORTED_BY_QUEUE_DELETION);
      }
    }
  }

  /** Whether commands of a queue are under way. */
  boolean hasCommandsOf(int queueId) {
    for (int i = 0; i < tasks.size(); i++) {
      if (isOf(tasks.get(i), queueId)) {
        return true;
      }
    }
    return false;
  }

  /** Whether the storages use no memory of the host's. */
  boolean isQuiet() {
    for (int i = 0; i < namespaces.size(); i++) {
      if (!namespaces.get(i).storage().isQuiet()) {
        return false;
      }
    }
    return true;
  }

  private static boolean isOf(NvmeTask task, int queueId) {
    return task.isLive
        && !task.isAbandoned
        && !task.isOfShutdown
        && task.command.queueId() == queueId;
  }

  private boolean cancel(NvmeTask task, int status) {
    var namespace = task.namespace;
    task.cancelStatus = status;
    if (unbuffered.remove(task)) {
      task.isCancelled = true;
      ready.add(task);
      return true;
    }
    boolean isCancelled = namespace != null && namespace.storage().cancel(task.request);
    if (isCancelled) {
      unstarted++; // others may have waited for it
    }
    return isCancelled;
  }

  /**
   * The controller is reset: nobody waits for any command any more. What the storages are at goes
   * on, and what waits there does not.
   */
  void abandon() {
    owesShutdown = false;
    for (int i = 0; i < tasks.size(); i++) {
      var task = tasks.get(i);
      if (task.isLive && !task.isAbandoned) {
        task.isAbandoned = true;
        task.request.abandon();
        cancel(task, NvmeStatus.ABORT_REQUESTED);
      }
    }
    start();
    while (!ready.isEmpty()) {
      release(ready.remove());
    }
  }

  /** Lets go of abandoned tasks whose requests have ended, and goes on with a shutdown. */
  void sweep(Sink sink) throws DmaFaultException {
    int others = 0;
    while (ready.size() > others) {
      var task = ready.remove();
      if (task.isAbandoned) {
        release(task);
      } else if (task.isOfShutdown) {
        int status = next(task);
        if (status != NvmeStatus.PENDING) {
          finish(task, status, sink);
        }
      } else {
        ready.add(task);
        others++;
      }
      start();
    }
  }
}
