// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.DmaBuffer;
import io.jvfio.nvme.NvmeCompletionHandler;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeQueue;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One queue pair of {@link NvmeWorkload}, with memory for all commands that can be in flight, for
 * one thread. A request that is larger than one command may be is made by several.
 */
final class WorkloadQueue implements NvmeCompletionHandler {
  /** Commands in flight. */
  static final int DEPTH = 64;

  private static final long LONGEST_WAIT_NANOS = 60_000_000_000L;

  private final NvmeQueue queue;
  private final NvmeNamespace namespace;
  private final DmaBuffer buffer;
  private final MemorySegment memory;
  private final int commandBytes;

  /** Places in the buffer that no command uses. */
  private final int[] free = new int[DEPTH];

  private int freeCount;

  /** What the command is about that uses a place. */
  private final int[] blockOf = new int[DEPTH];

  private final int[] blocksOf = new int[DEPTH];

  private WorkloadPlan plan;
  private boolean isReading;
  private long commands;
  private long split;
  private long bytes;
  private long ended;
  private long checksum;
  private int deepest;
  private @Nullable RuntimeException failure;

  /** Takes memory of so many bytes per command from the device's space. */
  WorkloadQueue(NvmeQueue queue, NvmeNamespace namespace, DmaBuffer buffer, WorkloadPlan plan) {
    this.queue = queue;
    this.namespace = namespace;
    this.buffer = buffer;
    this.plan = plan;
    memory = buffer.segment();
    commandBytes = Math.toIntExact(buffer.byteSize() / DEPTH);
    for (int place = 0; place < DEPTH; place++) {
      free[freeCount++] = place;
    }
  }

  /** What was written to or read from the plan's region, as {@link WorkloadPlan#checksum}. */
  long checksum() {
    return checksum;
  }

  /** Commands completed without an error. */
  long commands() {
    return commands;
  }

  /** Commands that were ended with an error, or were in flight when the queue was closed. */
  long ended() {
    return ended;
  }

  /** Requests that took more than one command. */
  long split() {
    return split;
  }

  /** Bytes transferred. */
  long bytes() {
    return bytes;
  }

  /** The largest number of commands that were in flight. */
  int deepest() {
    return deepest;
  }

  /**
   * Makes some of a plan's requests and waits for all of them.
   *
   * @param first the first of them
   * @param step how far one is from the next
   * @throws RuntimeException the first failure, when all that was in flight has ended
   */
  void run(
      WorkloadPlan newPlan, boolean reading, WorkloadPlan.Request[] requests, int first, int step) {
    plan = newPlan;
    isReading = reading;
    checksum = 0;
    try {
      runAll(requests, first, step);
    } catch (RuntimeException e) {
      ended += DEPTH - freeCount;
      throw e;
    }
  }

  private void runAll(WorkloadPlan.Request[] requests, int first, int step) {
    int next = first;
    int done = 0; // blocks of the next request that have been put
    while (next < requests.length || queue.inFlight() > 0) {
      while (failure == null && freeCount > 0 && next < requests.length) {
        var request = requests[next];
        int blocks = Math.min(request.blocks() - done, commandBytes / WorkloadPlan.BLOCK);
        if (!put(request.block() + done, blocks)) {
          break;
        }
        done += blocks;
        if (done == request.blocks()) {
          split += done > blocks ? 1 : 0;
          done = 0;
          next += step;
        }
      }
      deepest = Math.max(deepest, queue.inFlight());
      queue.ring();
      if (queue.inFlight() > 0 && queue.await(this, LONGEST_WAIT_NANOS) == 0 && failure == null) {
        throw new IllegalStateException(
            "no completion in a minute, %d commands in flight".formatted(queue.inFlight()));
      }
      if (failure != null && queue.inFlight() == 0) {
        throw failure;
      }
    }
  }

  private boolean put(int block, int blocks) {
    int place = free[freeCount - 1];
    long offset = (long) place * commandBytes;
    long lba = plan.firstBlock() + block;
    if (isReading) {
      if (!queue.read(namespace, lba, blocks, buffer, offset, place)) {
        return false;
      }
    } else {
      long sum = plan.fill(memory, offset, block, blocks);
      if (!queue.write(namespace, lba, blocks, buffer, offset, place)) {
        return false;
      }
      checksum += sum;
    }
    freeCount--;
    blockOf[place] = block;
    blocksOf[place] = blocks;
    return true;
  }

  @Override
  public void completed(long token, int status, int result) {
    int place = (int) token;
    free[freeCount++] = place;
    int block = blockOf[place];
    int blocks = blocksOf[place];
    if (status != 0) {
      ended++;
      if (failure == null) {
        failure = queue.failure(status, name(block, blocks));
      }
      return;
    }
    commands++;
    bytes += (long) blocks * WorkloadPlan.BLOCK;
    if (isReading) {
      long offset = (long) place * commandBytes;
      checksum += WorkloadPlan.checksum(memory, offset, blocks);
      int different = plan.firstDifference(memory, offset, block, blocks);
      if (different >= 0 && failure == null) {
        failure =
            new IllegalStateException(
                "%s: block %d has other bytes than were written"
                    .formatted(name(block, blocks), plan.firstBlock() + different));
      }
    }
  }

  private String name(int block, int blocks) {
    return "%s of %d blocks from %d on queue %d"
        .formatted(isReading ? "Read" : "Write", blocks, plan.firstBlock() + block, queue.id());
  }
}
