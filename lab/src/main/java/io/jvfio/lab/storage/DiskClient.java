// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import io.jvfio.DmaBuffer;
import io.jvfio.VfioException;
import io.jvfio.linux.Registers;
import io.jvfio.nvme.NvmeCompletionHandler;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.nvme.NvmeQueue;
import io.jvfio.nvme.NvmeRanges;
import io.jvfio.user.VfioUser;
import io.jvfio.user.VfioUserDevice;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A client that goes step by step, and tells how each command ended. A status is the status field
 * without the phase tag, 0 for success.
 */
final class DiskClient implements AutoCloseable, NvmeCompletionHandler {
  /** Capacity Exceeded, Write Fault, Unrecovered Read Error, Namespace is Write Protected. */
  static final int CAPACITY_EXCEEDED = 0x081;

  static final int WRITE_FAULT = 0x280;
  static final int UNRECOVERED_READ_ERROR = 0x281;
  static final int WRITE_PROTECTED = 0x020;

  /** Do Not Retry, which all of them have. */
  static final int DO_NOT_RETRY = 0x4000;

  /** How a command stands that has not ended. */
  static final int UNDER_WAY = -1;

  private static final int MOST = 64;
  private static final long LONGEST_WAIT_NANOS = 60_000_000_000L;
  private static final int STATUS_REGISTER = 0x1c;

  private final VfioUserDevice device;
  private final NvmeController controller;
  private final NvmeQueue queue;
  private final NvmeNamespace namespace;
  private final BlockPattern pattern;
  private final DmaBuffer buffer;
  private final long slotBytes;
  private final int[] statuses = new int[MOST];
  private final long[] generations = new long[MOST];
  private final boolean[] areFlushes = new boolean[MOST];
  private final WriteLog log;
  private final Registers registers;

  private DiskClient(Path socket, WriteLog log) {
    this.log = log;
    device = VfioUser.open(socket);
    // A command that waits for a disk must not be taken for one that was lost.
    controller =
        NvmeController.open(
            device,
            NvmeOptions.defaults()
                .withSharedQueues(1)
                .withRetries(0)
                .withCommandTimeout(Duration.ofMinutes(10)));
    queue = controller.openQueue();
    namespace = controller.namespace(1);
    pattern = new BlockPattern(namespace.blockSize());
    slotBytes = Math.min(512 << 10, queue.maxTransferBytes());
    buffer = device.dmaSpace().allocate(slotBytes * MOST);
    registers = device.region(0).registers();
    Arrays.fill(statuses, 0);
  }

  static DiskClient open(Path socket, WriteLog log) {
    return new DiskClient(socket, log);
  }

  NvmeController controller() {
    return controller;
  }

  NvmeNamespace namespace() {
    return namespace;
  }

  /** Blocks of the longest transfer. */
  int mostBlocks() {
    return (int) (slotBytes / namespace.blockSize());
  }

  /** Has a write begin; returns by what it is known, a number that is free. */
  int begin(int slot, long block, int blocks, boolean isDurable) {
    long generation = log.next();
    long offset = slot * slotBytes;
    pattern.fill(buffer.segment(), offset, block, blocks, generation);
    log.writeBegins(generation, block, blocks, isDurable);
    statuses[slot] = UNDER_WAY;
    generations[slot] = generation;
    areFlushes[slot] = false;
    boolean isPut =
        isDurable
            ? queue.writeThrough(namespace, block, blocks, buffer, offset, slot)
            : queue.write(namespace, block, blocks, buffer, offset, slot);
    require(isPut);
    queue.ring();
    return slot;
  }

  private static void require(boolean isPut) {
    if (!isPut) {
      throw new IllegalStateException("the queue is full");
    }
  }

  @Override
  public void completed(long token, int status, int result) {
    int slot = (int) token;
    statuses[slot] = status;
    if (areFlushes[slot]) {
      log.flushEnded(generations[slot], status & ~DO_NOT_RETRY);
    } else if (generations[slot] != 0) {
      log.writeEnded(generations[slot], status & ~DO_NOT_RETRY);
    }
  }

  /** How a command stands. */
  int status(int slot) {
    queue.poll(this);
    return statuses[slot];
  }

  /** Waits for a command's end, so long at most. */
  int await(int slot, long millis) {
    long begin = System.nanoTime();
    while (statuses[slot] == UNDER_WAY && System.nanoTime() - begin < millis * 1_000_000) {
      queue.await(this, 1_000_000);
    }
    return statuses[slot];
  }

  private int finish(int slot) {
    int status = await(slot, LONGEST_WAIT_NANOS / 1_000_000);
    if (status == UNDER_WAY) {
      throw new IllegalStateException("no completion within a minute");
    }
    return status;
  }

  /** Writes, and waits for it. */
  int write(long block, int blocks, boolean isDurable) {
    return finish(begin(0, block, blocks, isDurable));
  }

  /** Reads, and waits for it. */
  int read(long block, int blocks) {
    return finish(beginRead(1, block, blocks));
  }

  int beginRead(int slot, long block, int blocks) {
    statuses[slot] = UNDER_WAY;
    generations[slot] = 0;
    areFlushes[slot] = false;
    require(queue.read(namespace, block, blocks, buffer, slot * slotBytes, slot));
    queue.ring();
    return slot;
  }

  /** The generations of blocks that {@link #read} has read. */
  List<Long> read(long block, int blocks, int slot) {
    var found = new ArrayList<Long>();
    for (int i = 0; i < blocks; i++) {
      found.add(
          pattern.generation(
              buffer.segment(), slot * slotBytes + (long) i * pattern.blockSize(), block + i));
    }
    return found;
  }

  /** Flushes, and waits for it. */
  int flush() {
    return finish(beginFlush(2));
  }

  int beginFlush(int slot) {
    statuses[slot] = UNDER_WAY;
    generations[slot] = log.next();
    areFlushes[slot] = true;
    log.flushBegins(generations[slot]);
    require(queue.flush(namespace, slot));
    queue.ring();
    return slot;
  }

  /** Has ranges be given back. */
  void beginDeallocate(int slot, NvmeRanges ranges) {
    statuses[slot] = UNDER_WAY;
    generations[slot] = 0;
    areFlushes[slot] = false;
    require(queue.deallocate(namespace, ranges, slot));
    queue.ring();
  }

  /** Reads CSTS by a message; returns how many nanoseconds that took. */
  long readRegister() {
    long begin = System.nanoTime();
    int status = registers.read32(STATUS_REGISTER);
    long nanos = System.nanoTime() - begin;
    if ((status & 1) == 0) {
      throw new IllegalStateException("the controller is not ready: CSTS is %#x".formatted(status));
    }
    return nanos;
  }

  @Override
  public void close() {
    try {
      registers.close();
      controller.close();
    } catch (VfioException _) {
      // The server may have gone before: that is what some steps are about.
    } finally {
      device.close();
      log.noEnd();
    }
  }
}
