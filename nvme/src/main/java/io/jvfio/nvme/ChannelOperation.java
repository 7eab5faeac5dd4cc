// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A read or write of an asynchronous channel that is under way. Belongs to the {@link
 * ChannelWorker}, but for {@link #cancel()}.
 */
final class ChannelOperation {
  /** The listener that hears how it ended. */
  interface Outcome {
    void succeeded(int count);

    void failed(Throwable cause);
  }

  /** The only thing that cancelling shares with the worker: nobody uses the buffer after it. */
  private final Object bufferLock = new Object();

  private final ByteBuffer buffer;
  private final int start;
  private final Outcome outcome;
  private boolean isCancelled;

  final boolean isWrite;
  final long position;
  final int count;

  /** The blocks that a write has to itself. */
  BlockClaims.@Nullable Claim claim;

  /** Bytes that pieces were taken for. */
  int issued;

  /** Pieces, and a flush, that are not done. */
  int pending;

  @Nullable RuntimeException failure;
  boolean isFlushed;

  /**
   * An operation.
   *
   * @param count bytes from the position of {@code buffer} on, at least 1
   */
  ChannelOperation(boolean isWrite, ByteBuffer buffer, long position, int count, Outcome outcome) {
    this.isWrite = isWrite;
    this.buffer = buffer;
    this.position = position;
    this.count = count;
    this.outcome = outcome;
    start = buffer.position();
  }

  /** The buffer is not used any more when this returns; what the controller does goes on. */
  void cancel() {
    synchronized (bufferLock) {
      isCancelled = true;
    }
  }

  /** Whether no more is to be asked of the controller. */
  boolean isGivenUp() {
    synchronized (bufferLock) {
      return isCancelled || failure != null;
    }
  }

  private MemorySegment bytes(int from, long length) {
    return MemorySegment.ofBuffer(buffer.duplicate().position(start + from)).asSlice(0, length);
  }

  /** Takes what was read, from byte {@code from} of the operation on. */
  void put(int from, MemorySegment source) {
    synchronized (bufferLock) {
      if (!isCancelled) {
        bytes(from, source.byteSize()).copyFrom(source);
      }
    }
  }

  /**
   * Gives what is to be written, from byte {@code from} of the operation on.
   *
   * @return false if cancelled: there is nothing to be written then
   */
  boolean get(int from, MemorySegment target) {
    synchronized (bufferLock) {
      if (!isCancelled) {
        target.copyFrom(bytes(from, target.byteSize()));
      }
      return !isCancelled;
    }
  }

  /** Tells the outcome. */
  void finish(@Nullable Throwable cause) {
    if (cause != null) {
      outcome.failed(cause);
      return;
    }
    synchronized (bufferLock) {
      if (!isCancelled) {
        buffer.position(start + count);
      }
    }
    outcome.succeeded(count);
  }
}
