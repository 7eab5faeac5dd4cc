// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * The storage that keeps the bytes of a namespace. All ranges are inside of it: callers check.
 *
 * <p>Requests are submitted and complete later, or at once where that takes no longer than a copy:
 * a slow disk holds nobody up. {@link #start} passes on what was submitted, for all of it together.
 * Completion is told from within {@link #submit}, {@link #start}, {@link #poll}, {@link #cancel} or
 * {@link #close}, which one thread calls at a time: the one that has the controller.
 *
 * <p>A logical block is read and written whole, whatever else happens to it at the same time and
 * whenever the process ends. What was written may be lost with power until a {@link
 * StorageRequest.Operation#SYNC} that was submitted afterwards is done.
 */
interface Storage extends AutoCloseable {
  long byteSize();

  /** Bytes that take room; the rest reads as zeroes and takes none. */
  long allocatedBytes();

  /** What keeps the data, in a few words for the operator. */
  String describe();

  /** The controller has been plugged in: it can be polled from now on. */
  default void connect() {}

  /** The longest range, in bytes, that one request clears without holding others up. */
  default long longestClear() {
    return Long.MAX_VALUE;
  }

  /**
   * Takes a request, which completes once: also if this, {@link #start} or {@link #poll} throws.
   */
  void submit(StorageRequest request);

  /** Begins what was submitted. */
  default void start() {}

  /**
   * Completes what has ended.
   *
   * @return whether there was anything
   */
  default boolean poll() {
    return false;
  }

  /** Whether data that was taken may be lost, since it could not be made persistent. */
  default boolean hasLostWrites() {
    return false;
  }

  /** Whether no request is under way. */
  default boolean isIdle() {
    return true;
  }

  /** Whether no memory of a client's is in use. */
  default boolean isQuiet() {
    return true;
  }

  /**
   * Takes a request back with {@link StorageResult#CANCELLED} if it waits for others, for memory or
   * for room: in the last case a part of it may have been done. Others that waited for it begin
   * with the next {@link #start}, if not before.
   *
   * @return false if it goes on, as one does that is under way, and a {@link
   *     StorageRequest.Operation#SYNC} that waits for the one before it
   */
  default boolean cancel(StorageRequest request) {
    return false;
  }

  /** Reads at once, waiting for it: for what stands in for the hardware, not for a client. */
  void readNow(long offset, MemorySegment target, long length) throws IOException;

  /** Writes at once, waiting for it; as {@link #readNow}. */
  void writeNow(long offset, MemorySegment source, long length) throws IOException;

  /**
   * Ends it: what is under way ends first, and what was written is persistent.
   *
   * @throws java.io.UncheckedIOException if that cannot be had; it has ended all the same
   */
  @Override
  void close();
}
