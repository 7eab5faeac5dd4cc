// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaBuffer;
import io.jvfio.VfioException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.CompletionHandler;
import java.nio.channels.FileLock;
import java.nio.channels.NonReadableChannelException;
import java.nio.channels.NonWritableChannelException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * A namespace as an asynchronous file of fixed size: any number of reads and writes may be under
 * way. They go to the controller by a queue of the channel's own, {@link
 * NvmeChannelOptions#transfers()} pieces at a time, and end in any order.
 *
 * <p>What is said of {@link NvmeFileChannel} on places, sizes, blocks that are written in part, and
 * locks holds here too. An operation transfers all bytes of its buffer, up to the end of the
 * namespace, or fails; a failure is an {@link NvmeIoException}. An operation of no bytes has the
 * result 0.
 *
 * <p>Cancelling a {@link Future} ends it at once: its buffer is not used after that, pieces that
 * are not yet at the controller are not sent, and the channel goes on. What was written until then
 * is written. Closing takes the queue away from the controller, gives the memory back, and ends
 * what is under way with {@link AsynchronousCloseException}; nothing is at the controller when it
 * returns. Close the channel before the controller.
 *
 * <p>Safe for use by several threads.
 */
public final class NvmeAsynchronousFileChannel extends AsynchronousFileChannel {
  private final NvmeNamespace namespace;
  private final NvmeChannelOptions options;
  private final BounceBuffers pieces;
  private final ChannelWorker worker;
  private final Executor handlers;
  private volatile boolean isClosed;

  NvmeAsynchronousFileChannel(
      NvmeNamespace namespace,
      NvmeChannelOptions options,
      NvmeQueue queue,
      BounceBuffers pieces,
      Executor handlers) {
    this.namespace = namespace;
    this.options = options;
    this.pieces = pieces;
    this.handlers = handlers;
    worker = new ChannelWorker(namespace, queue, pieces, options.isSynchronous());
    worker.start();
  }

  // --- outcomes ---

  private <V, A extends @Nullable Object> void tell(
      CompletionHandler<V, ? super A> handler, A attachment, @Nullable Throwable cause, V result) {
    Runnable task =
        () -> {
          if (cause == null) {
            handler.completed(result, attachment);
          } else {
            handler.failed(cause, attachment);
          }
        };
    try {
      handlers.execute(task);
    } catch (RejectedExecutionException _) {
      // An executor that was shut down must not keep a handler from ever being called.
      Thread.ofVirtual().name("nvme-channel-handler").start(task);
    }
  }

  private <A extends @Nullable Object> ChannelOperation.Outcome outcome(
      CompletionHandler<Integer, ? super A> handler, A attachment) {
    return new ChannelOperation.Outcome() {
      @Override
      public void succeeded(int count) {
        tell(handler, attachment, null, count);
      }

      @Override
      public void failed(Throwable cause) {
        tell(handler, attachment, cause, 0);
      }
    };
  }

  /** The result of an operation that nobody handles. */
  private static final class Result extends CompletableFuture<Integer>
      implements ChannelOperation.Outcome {
    private volatile @Nullable ChannelOperation operation;

    @Override
    public void succeeded(int count) {
      complete(count);
    }

    @Override
    public void failed(Throwable cause) {
      completeExceptionally(cause);
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
      boolean isCancelled = super.cancel(mayInterruptIfRunning);
      var cancelled = operation;
      // Only now: an operation that is given up ends, and would be told as a success.
      if (isCancelled && cancelled != null) {
        cancelled.cancel();
      }
      return isCancelled;
    }
  }

  // --- reading and writing ---

  private void requireReadable() {
    if (!options.isReadable()) {
      throw new NonReadableChannelException();
    }
  }

  private void requireWritable() {
    if (!options.isWritable()) {
      throw new NonWritableChannelException();
    }
  }

  private static void requireNotNegative(String what, long value) {
    if (value < 0) {
      throw new IllegalArgumentException("%s is negative: %d".formatted(what, value));
    }
  }

  private void checkRead(ByteBuffer dst, long position) {
    requireNotNegative("position", position);
    requireReadable();
    if (dst.isReadOnly()) {
      throw new IllegalArgumentException("Read-only buffer");
    }
  }

  private void checkWrite(long position) {
    requireNotNegative("position", position);
    requireWritable();
  }

  /** Begins an operation, or ends it where there is nothing to do; null in that case. */
  private @Nullable ChannelOperation operation(
      boolean isWrite, ByteBuffer buffer, long position, ChannelOperation.Outcome outcome) {
    int count = Math.clamp(namespace.byteSize() - position, 0, buffer.remaining());
    if (isClosed) {
      outcome.failed(new ClosedChannelException());
    } else if (!buffer.hasRemaining()) {
      outcome.succeeded(0);
    } else if (count == 0 && isWrite) {
      outcome.failed(namespace.noSpace(position));
    } else if (count == 0) {
      outcome.succeeded(-1);
    } else {
      return new ChannelOperation(isWrite, buffer, position, count, outcome);
    }
    return null;
  }

  private <A extends @Nullable Object> void submit(
      boolean isWrite,
      ByteBuffer buffer,
      long position,
      A attachment,
      CompletionHandler<Integer, ? super A> handler) {
    var operation = operation(isWrite, buffer, position, outcome(handler, attachment));
    if (operation != null) {
      worker.submit(operation);
    }
  }

  private Future<Integer> submit(boolean isWrite, ByteBuffer buffer, long position) {
    var result = new Result();
    var operation = operation(isWrite, buffer, position, result);
    if (operation != null) {
      result.operation = operation;
      worker.submit(operation);
    }
    return result;
  }

  @Override
  public <A extends @Nullable Object> void read(
      ByteBuffer dst, long position, A attachment, CompletionHandler<Integer, ? super A> handler) {
    checkRead(dst, position);
    submit(false, dst, position, attachment, handler);
  }

  @Override
  public Future<Integer> read(ByteBuffer dst, long position) {
    checkRead(dst, position);
    return submit(false, dst, position);
  }

  @Override
  public <A extends @Nullable Object> void write(
      ByteBuffer src, long position, A attachment, CompletionHandler<Integer, ? super A> handler) {
    checkWrite(position);
    submit(true, src, position, attachment, handler);
  }

  @Override
  public Future<Integer> write(ByteBuffer src, long position) {
    checkWrite(position);
    return submit(true, src, position);
  }

  // --- size and safety of data ---

  private void requireOpen() throws ClosedChannelException {
    if (isClosed) {
      throw new ClosedChannelException();
    }
  }

  /** The size of the namespace in bytes. */
  @Override
  public long size() throws IOException {
    requireOpen();
    return namespace.byteSize();
  }

  /**
   * Changes nothing, as with a file that is not longer.
   *
   * @throws IOException if the namespace is larger than {@code size}
   */
  @Override
  public AsynchronousFileChannel truncate(long size) throws IOException {
    requireNotNegative("size", size);
    requireOpen();
    requireWritable();
    namespace.requireNotLarger(size);
    return this;
  }

  /** Flushes: all writes that ended before survive loss of power when this returns. */
  @Override
  public void force(boolean metaData) throws IOException {
    requireOpen();
    try {
      namespace.flush();
    } catch (NvmeStatusException | VfioException | IllegalStateException e) {
      throw new NvmeIoException(namespace.explained(e));
    }
  }

  // --- locks ---

  private FileLock addLock(long position, long size, boolean shared) throws ClosedChannelException {
    var locks = namespace.locks();
    long length = size == 0 ? Long.MAX_VALUE - position : size;
    var lock = locks.add(new NvmeFileLock(locks, this, position, length, shared));
    if (isClosed) {
      // Closed meanwhile, and the locks of the channel were perhaps released before this one.
      locks.removeAll(this);
      throw new AsynchronousCloseException();
    }
    return lock;
  }

  private void checkLock(long position, long size, boolean shared) {
    requireNotNegative("position", position);
    requireNotNegative("size", size);
    if (shared) {
      requireReadable();
    } else {
      requireWritable();
    }
  }

  @Override
  public <A extends @Nullable Object> void lock(
      long position,
      long size,
      boolean shared,
      A attachment,
      CompletionHandler<FileLock, ? super A> handler) {
    var result = lock(position, size, shared);
    var _ = result.whenComplete((lock, cause) -> tell(handler, attachment, cause, lock));
  }

  /** The lock, at once: no other process can hold one. */
  @Override
  public CompletableFuture<FileLock> lock(long position, long size, boolean shared) {
    checkLock(position, size, shared);
    try {
      requireOpen();
      return CompletableFuture.completedFuture(addLock(position, size, shared));
    } catch (ClosedChannelException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  @Override
  public @Nullable FileLock tryLock(long position, long size, boolean shared) throws IOException {
    checkLock(position, size, shared);
    requireOpen();
    return addLock(position, size, shared);
  }

  // --- closing ---

  /** What its data goes through. */
  DmaBuffer memory() {
    return pieces.buffer();
  }

  @Override
  public boolean isOpen() {
    return !isClosed;
  }

  @Override
  public void close() throws IOException {
    isClosed = true;
    namespace.locks().removeAll(this);
    worker.close();
  }

  @Override
  public String toString() {
    return "asynchronous channel to " + namespace;
  }
}
