// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The thread of an asynchronous channel: the only one that uses the channel's queue.
 *
 * <p>An operation is cut into pieces of bounce memory. A piece of a read is one Read. A piece of a
 * write is one Write; where it begins or ends within a block, Reads of these blocks come first, so
 * every write holds a {@link BlockClaims} claim from before its first piece until its end. A
 * synchronous write ends with a Flush after its last piece. As many pieces are under way as there
 * are, of one operation or of many; commands that the queue has no room for wait in order.
 *
 * <p>Other threads hand over operations through {@link #arrived}, under the lock. When the channel
 * is closed, or the queue fails, the thread closes the queue first: no command is at the controller
 * after that. Then the memory is freed and every operation that is left is ended.
 */
final class ChannelWorker {
  /**
   * How long to wait for a completion before looking for new operations; longer than a command of a
   * fast device takes, and short for who hands one over.
   */
  private static final long WAIT_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

  private static final int SUCCESS = 0;

  private final NvmeNamespace namespace;
  private final NvmeQueue queue;
  private final BounceBuffers pieces;
  private final boolean isSynchronous;
  private final int blockShift;
  private final int blockMask;
  private final Thread thread;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  /** Operations that can go on, as handed over by other threads. */
  private final ArrayDeque<ChannelOperation> arrived = new ArrayDeque<>();

  /** All that are not ended, and those that wait for blocks. */
  private final Set<ChannelOperation> open = new LinkedHashSet<>();

  private boolean isClosing;

  /** Why no operation is possible any more. */
  private @Nullable RuntimeException failure;

  /** What closing threw. */
  private @Nullable RuntimeException closeFailure;

  // Of the thread alone:

  /** Operations that want pieces. */
  private final ArrayDeque<ChannelOperation> ready = new ArrayDeque<>();

  /** Commands that are not in the queue yet; each tells whether there was room for it. */
  private final ArrayDeque<BooleanSupplier> commands = new ArrayDeque<>();

  /** What each token stands for. */
  private final Map<Long, Step> steps = new HashMap<>();

  private long nextToken;

  /** A step that takes the status of a command. */
  private interface Step {
    void completed(int status);
  }

  ChannelWorker(
      NvmeNamespace namespace, NvmeQueue queue, BounceBuffers pieces, boolean isSynchronous) {
    this.namespace = namespace;
    this.queue = queue;
    this.pieces = pieces;
    this.isSynchronous = isSynchronous;
    blockMask = namespace.blockSize() - 1;
    blockShift = Integer.numberOfTrailingZeros(namespace.blockSize());
    thread = Thread.ofPlatform().name("nvme-channel-" + queue.id()).daemon().unstarted(this::work);
  }

  void start() {
    thread.start();
  }

  // --- what other threads do ---

  /** Begins an operation, whose outcome is told in any case. */
  void submit(ChannelOperation operation) {
    Throwable refusal = register(operation);
    if (refusal != null) {
      operation.finish(refusal);
    } else if (operation.isWrite) {
      long last = operation.position + operation.count - 1;
      var claim =
          namespace
              .claims()
              .claim(operation.position >> blockShift, last >> blockShift, () -> arrive(operation));
      operation.claim = claim;
      claim.request();
    } else {
      arrive(operation);
    }
  }

  private @Nullable Throwable register(ChannelOperation operation) {
    lock.lock();
    try {
      if (failure != null) {
        return new NvmeIoException(failure);
      }
      if (isClosing) {
        return new ClosedChannelException();
      }
      open.add(operation);
      return null;
    } finally {
      lock.unlock();
    }
  }

  private void arrive(ChannelOperation operation) {
    lock.lock();
    try {
      arrived.add(operation);
      changed.signal();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Ends all operations, and waits for the thread to be done, unless it is the caller's.
   * Idempotent.
   *
   * @throws NvmeIoException if the queue or the memory could not be given back
   */
  void close() throws IOException {
    lock.lock();
    try {
      isClosing = true;
      changed.signal();
    } finally {
      lock.unlock();
    }
    if (!thread.equals(Thread.currentThread())) {
      join();
      if (closeFailure != null) {
        throw new NvmeIoException(closeFailure);
      }
    }
  }

  private void join() {
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  // --- the thread ---

  private void work() {
    Throwable end = new AsynchronousCloseException();
    try {
      while (takeArrived()) {
        issue();
        if (queue.inFlight() > 0) {
          queue.await(this::completed, WAIT_NANOS);
        }
      }
    } catch (RuntimeException e) {
      var failed = namespace.explained(e);
      end = new NvmeIoException(failed);
      fail(failed);
    } catch (Error e) {
      end = e;
      fail(new IllegalStateException("the thread of the channel ended: " + e, e));
    }
    release(end);
  }

  /** Waits for something to do; false when there will not be anything. */
  private boolean takeArrived() {
    lock.lock();
    try {
      boolean isIdle = ready.isEmpty() && commands.isEmpty() && queue.inFlight() == 0;
      while (isIdle && arrived.isEmpty() && !isClosing) {
        changed.awaitUninterruptibly();
      }
      ready.addAll(arrived);
      arrived.clear();
      return !isClosing;
    } finally {
      lock.unlock();
    }
  }

  private void fail(RuntimeException e) {
    lock.lock();
    try {
      failure = e;
    } finally {
      lock.unlock();
    }
  }

  /** Gives back all there is, then ends the operations. */
  private void release(Throwable end) {
    var closing = new CloseSteps();
    closing.run(queue::close);
    closing.run(pieces::closeUnused);
    try {
      closing.rethrow();
    } catch (RuntimeException e) {
      closeFailure = e;
    }
    List<ChannelOperation> left;
    lock.lock();
    try {
      isClosing = true;
      left = List.copyOf(open);
      open.clear();
    } finally {
      lock.unlock();
    }
    left.forEach(operation -> end(operation, end));
  }

  /** Takes pieces and puts commands as far as there is room. */
  private void issue() {
    while (!ready.isEmpty()) {
      var operation = ready.element();
      if (operation.issued == operation.count || operation.isGivenUp()) {
        ready.remove();
        advance(operation);
      } else {
        int piece = pieces.tryTake();
        if (piece == BounceBuffers.NONE) {
          break;
        }
        begin(operation, piece);
      }
    }
    while (!commands.isEmpty() && commands.element().getAsBoolean()) {
      commands.remove();
    }
    queue.ring();
  }

  /** The next piece of an operation. */
  private void begin(ChannelOperation operation, int piece) {
    long start = operation.position + operation.issued;
    int lead = (int) start & blockMask;
    int step = Math.min(operation.count - operation.issued, pieces.byteSize() - lead);
    long lba = start >> blockShift;
    int blocks = (lead + step + blockMask) >> blockShift;
    int from = operation.issued;
    operation.issued += step;
    operation.pending++;
    if (operation.isWrite) {
      beginWrite(operation, from, piece, lead, step, lba, blocks);
    } else {
      read(
          lba,
          blocks,
          pieces.offset(piece),
          status -> {
            if (isGood(operation, status, "Read", lba)) {
              operation.put(from, pieces.segment(piece).asSlice(lead, step));
            }
            done(operation, piece);
          });
    }
  }

  private void beginWrite(
      ChannelOperation operation, int from, int piece, int lead, int step, long lba, int blocks) {
    long offset = pieces.offset(piece);
    long last = blocks - 1L;
    boolean endsWithin = ((lead + step) & blockMask) != 0;
    Runnable write =
        () -> {
          if (!operation.get(from, pieces.segment(piece).asSlice(lead, step))) {
            done(operation, piece);
            return;
          }
          write(
              lba,
              blocks,
              offset,
              status -> {
                isGood(operation, status, "Write", lba);
                done(operation, piece);
              });
        };
    if (endsWithin && blocks > 1) {
      write = afterRead(operation, piece, lba + last, offset + (last << blockShift), write);
    }
    if (lead != 0 || (endsWithin && blocks == 1)) {
      write = afterRead(operation, piece, lba, offset, write);
    }
    write.run();
  }

  /** Reads the block of which a write has only a part, and goes on when it is there. */
  private Runnable afterRead(
      ChannelOperation operation, int piece, long lba, long offset, Runnable next) {
    return () ->
        read(
            lba,
            1,
            offset,
            status -> {
              if (isGood(operation, status, "Read", lba) && !operation.isGivenUp()) {
                next.run();
              } else {
                done(operation, piece);
              }
            });
  }

  private boolean isGood(ChannelOperation operation, int status, String command, long lba) {
    if (status != SUCCESS && operation.failure == null) {
      operation.failure =
          namespace.failure(queue, status, "%s of block %d".formatted(command, lba));
    }
    return status == SUCCESS;
  }

  /** A piece is free again. */
  private void done(ChannelOperation operation, int piece) {
    pieces.give(piece);
    operation.pending--;
    advance(operation);
  }

  /** Ends an operation of which nothing is left to do; flushes before, where it has to be. */
  private void advance(ChannelOperation operation) {
    boolean isGivenUp = operation.isGivenUp();
    if (operation.pending > 0 || (operation.issued < operation.count && !isGivenUp)) {
      return;
    }
    if (operation.isWrite && isSynchronous && !operation.isFlushed && !isGivenUp) {
      operation.isFlushed = true;
      operation.pending++;
      flush(
          status -> {
            isGood(operation, status, "Flush after write", operation.position >> blockShift);
            operation.pending--;
            advance(operation);
          });
      return;
    }
    boolean isOpen;
    lock.lock();
    try {
      isOpen = open.remove(operation);
    } finally {
      lock.unlock();
    }
    if (isOpen) {
      end(operation, operation.failure == null ? null : new NvmeIoException(operation.failure));
    }
  }

  private static void end(ChannelOperation operation, @Nullable Throwable cause) {
    if (operation.claim != null) {
      operation.claim.release();
    }
    operation.finish(cause);
  }

  // --- commands ---

  private void read(long lba, int blocks, long offset, Step step) {
    var memory = pieces.buffer();
    put(step, token -> queue.read(namespace, lba, blocks, memory, offset, token));
  }

  private void write(long lba, int blocks, long offset, Step step) {
    var memory = pieces.buffer();
    put(step, token -> queue.write(namespace, lba, blocks, memory, offset, token));
  }

  private void flush(Step step) {
    put(step, token -> queue.flush(namespace, token));
  }

  private interface Command {
    boolean put(long token);
  }

  private void put(Step step, Command command) {
    long token = nextToken++;
    steps.put(token, step);
    commands.add(() -> command.put(token));
  }

  private void completed(long token, int status, int result) {
    var step = steps.remove(token);
    if (step != null) {
      step.completed(status);
    }
  }
}
