// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DmaPort;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A request to a {@link Storage}. Its owner fills it in, submits it, and is told when it has ended;
 * then it can be used again. In between it is the storage's.
 */
final class StorageRequest {
  /** The operations that are asked for. */
  enum Operation {
    READ(false),
    WRITE(true),
    /** The range reads as zeroes afterwards, and takes no room where that can be had. */
    CLEAR(true),
    /** The range reads as zeroes afterwards, and keeps its room where it had some. */
    ZERO(true),
    /** What was written to the range, and had completed by now, is persistent afterwards. */
    SYNC(false);

    /** Whether it changes what is stored. */
    final boolean isChange;

    Operation(boolean isChange) {
      this.isChange = isChange;
    }
  }

  /** The owner, who is told of the end. */
  interface Owner {
    void ended(StorageRequest request);
  }

  private static final NvmeRuns NO_RUNS = new NvmeRuns();

  private final Owner owner;
  private Operation operation = Operation.SYNC;
  private long offset;
  private long byteSize;
  private boolean isDurable;
  private NvmeRuns runs = NO_RUNS;
  private @Nullable DmaPort dma;
  private @Nullable MemorySegment buffer;
  private @Nullable Owner observer;
  private boolean isAbandoned;
  private long extraBytes;
  private StorageResult result = StorageResult.DONE;

  StorageRequest(Owner owner) {
    this.owner = owner;
  }

  /** Reads or writes memory of a client's: all that {@code memory} has. */
  StorageRequest transfer(
      Operation what, long at, long length, NvmeRuns memory, DmaPort port, boolean durable) {
    set(what, at, length, durable);
    runs = memory;
    dma = port;
    return this;
  }

  /** Reads or writes memory of this process, from its start on. */
  StorageRequest transfer(Operation what, long at, long length, MemorySegment memory) {
    set(what, at, length, false);
    buffer = memory;
    return this;
  }

  /** Clears, zeroes or makes persistent. */
  StorageRequest range(Operation what, long at, long length, boolean durable) {
    set(what, at, length, durable);
    return this;
  }

  private void set(Operation what, long at, long length, boolean durable) {
    operation = what;
    offset = at;
    byteSize = length;
    isDurable = durable;
    runs = NO_RUNS;
    dma = null;
    buffer = null;
    observer = null;
    isAbandoned = false;
    extraBytes = 0;
  }

  Operation operation() {
    return operation;
  }

  long offset() {
    return offset;
  }

  long byteSize() {
    return byteSize;
  }

  /** Whether what is changed has to be persistent before it ends. */
  boolean isDurable() {
    return isDurable;
  }

  /** The client's memory; nothing if {@link #buffer} has the data. */
  NvmeRuns runs() {
    return runs;
  }

  /** The way to the client's memory; null if {@link #buffer} has the data. */
  @Nullable DmaPort dma() {
    return dma;
  }

  /** Memory of this process for the data, or null. */
  @Nullable MemorySegment buffer() {
    return buffer;
  }

  /** Has somebody told of the end before the owner is, this time. */
  void observe(Owner who) {
    observer = who;
  }

  /** Nobody waits for it any more, and memory is somebody else's: none is used from now on. */
  void abandon() {
    isAbandoned = true;
  }

  boolean isAbandoned() {
    return isAbandoned;
  }

  /** It took as much time as so many bytes more would: the storage's to say, before it ends. */
  void countExtra(long bytes) {
    extraBytes += bytes;
  }

  /** What it has cost so far besides its bytes, as bytes. */
  long extraBytes() {
    return extraBytes;
  }

  StorageResult result() {
    return result;
  }

  /** Ends it; the storage's to call. */
  void end(StorageResult how) {
    result = how;
    var watcher = observer;
    if (watcher != null) {
      watcher.ended(this);
    }
    owner.ended(this);
  }
}
