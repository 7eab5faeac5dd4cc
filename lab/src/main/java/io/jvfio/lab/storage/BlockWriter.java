// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import io.jvfio.DmaBuffer;
import io.jvfio.VfioException;
import io.jvfio.nvme.NvmeCompletionHandler;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.nvme.NvmeQueue;
import io.jvfio.nvme.NvmeSglUse;
import io.jvfio.user.VfioUser;
import io.jvfio.user.VfioUserDevice;
import io.jvfio.user.VfioUserOptions;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A client that writes blocks of known content to a served disk and logs them: several queues, each
 * with a thread and commands in flight. Most writes are of 512 KiB, the others of a few blocks;
 * their memory lies anywhere, so that blocks lie across pages; some are durable (FUA), and there
 * are flushes. Two commands may write the same block at the same time, from one queue or from two.
 */
final class BlockWriter implements AutoCloseable {
  /** Blocks of the smaller writes, at most. */
  private static final int FEW = 24;

  private static final int LARGE = 512 << 10;
  private static final int PAGE = 4096;
  private static final long WAIT_NANOS = 2_000_000;
  private static final int FLUSH = 1 << 20;
  private static final int CONFIGURATION = 0x14;
  private static final int STATUS = 0x1c;

  /** Command Aborted By Host: the driver ended it, and nobody knows what became of it. */
  private static final int ABORTED_BY_HOST = 0x371;

  private static final int STATUS_MASK = 0x7ff;

  /** A block of which it is not known what it is. */
  private static final long UNKNOWN = -1;

  /** A block that is being written. */
  private static final long BUSY = -2;

  private final Plan plan;
  private final WriteLog log;
  private final VfioUserDevice device;
  private final NvmeController controller;
  private final NvmeNamespace namespace;
  private final BlockPattern pattern;
  private final List<Worker> workers = new ArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private final AtomicLong acknowledged = new AtomicLong();
  private volatile boolean isEnding;
  private volatile boolean isGone;
  private volatile boolean isLeft;

  /**
   * What is written.
   *
   * @param queues how many queues
   * @param depth commands in flight in each
   * @param durablePercent how many of a hundred writes are durable
   * @param flushPercent how many of a hundred commands are flushes
   * @param readPercent how many of a hundred commands are reads, whose blocks must be what they
   *     were written; then each queue has blocks of its own
   * @param seed makes the choices
   */
  record Plan(
      int queues, int depth, int durablePercent, int flushPercent, int readPercent, long seed) {

    /** Four queues with four commands each. */
    static Plan of(long seed) {
      return new Plan(4, 4, 15, 5, 0, seed);
    }

    Plan withReads(int percent) {
      return new Plan(queues, depth, durablePercent, flushPercent, percent, seed);
    }

    Plan withDurable(int durable, int flushes) {
      return new Plan(queues, depth, durable, flushes, readPercent, seed);
    }
  }

  private BlockWriter(Path socket, Plan plan, WriteLog log) {
    this.plan = plan;
    this.log = log;
    device =
        VfioUser.open(
            socket, VfioUserOptions.defaults().withRequestTimeout(Duration.ofSeconds(20)));
    try {
      // With a page list a block lies where the driver's memory does; SGLs have other code.
      var use = plan.seed % 4 == 3 ? NvmeSglUse.AUTOMATIC : NvmeSglUse.NEVER;
      controller =
          NvmeController.open(
              device,
              NvmeOptions.defaults()
                  .withSglUse(use)
                  .withSharedQueues(1)
                  .withRetries(0)
                  .withCommandTimeout(Duration.ofSeconds(30)));
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
    namespace = controller.namespace(1);
    pattern = new BlockPattern(namespace.blockSize());
  }

  /** Connects and begins to write. */
  static BlockWriter start(Path socket, Plan plan, WriteLog log) {
    var writer = new BlockWriter(socket, plan, log);
    log.noEnd(); // of the client before, whose commands have ended: the controller has started
    for (int i = 0; i < plan.queues; i++) {
      var worker = writer.new Worker(i);
      writer.workers.add(worker);
    }
    for (var worker : writer.workers) {
      writer.threads.add(
          Thread.ofPlatform().name("writer " + worker.number).daemon().start(worker::run));
    }
    return writer;
  }

  /** How many commands were acknowledged. */
  long acknowledged() {
    return acknowledged.get();
  }

  /** Writes that are under way, and how many of them are of 512 KiB. */
  int inFlight(boolean ofLargeOnesOnly) {
    int count = 0;
    for (var worker : workers) {
      count += ofLargeOnesOnly ? worker.largeOnes.get() : worker.queue.inFlight();
    }
    return count;
  }

  NvmeController controller() {
    return controller;
  }

  VfioUserDevice device() {
    return device;
  }

  /**
   * Ends the writing, when what is under way has ended.
   *
   * @throws IllegalStateException if something went wrong
   */
  void finish() throws InterruptedException {
    isEnding = true;
    join();
  }

  /** The disk is gone: what was acknowledged is logged, and what is under way has no end. */
  void abandon() throws InterruptedException {
    isGone = true;
    join();
    log.noEnd();
  }

  /**
   * Stops the controller in the middle of everything (CC.EN): once it is not ready any more,
   * nothing is under way.
   */
  void stopController() throws InterruptedException {
    isGone = true;
    try (var registers = device.region(0).registers()) {
      registers.write32(CONFIGURATION, registers.read32(CONFIGURATION) & ~1);
      long begin = System.nanoTime();
      while ((registers.read32(STATUS) & 1) != 0) {
        if (System.nanoTime() - begin > 20_000_000_000L) {
          throw new IllegalStateException("the controller does not stop");
        }
      }
    }
    join();
    log.noEnd();
  }

  /** Resets the device in the middle of everything. */
  void resetDevice() throws InterruptedException {
    isGone = true;
    device.reset();
    join();
    log.noEnd();
  }

  /** Leaves in the middle of everything. */
  void leave() throws InterruptedException {
    isGone = true;
    isLeft = true;
    device.close();
    join();
  }

  /** Waits until the writing has ended by itself, as the disk has gone. */
  void awaitLoss() throws InterruptedException {
    join();
    log.noEnd();
  }

  private void join() throws InterruptedException {
    for (var thread : threads) {
      thread.join(60_000);
      if (thread.isAlive()) {
        throw new IllegalStateException("a writer does not end");
      }
    }
    for (var worker : workers) {
      if (worker.wrong != null) {
        throw new IllegalStateException(worker.wrong);
      }
      // Who has gone, or whose disk has, is told so by whatever it does next.
      if (worker.failure != null && !isGone) {
        throw new IllegalStateException("queue " + worker.number, worker.failure);
      }
    }
  }

  /** How many commands ended with each status that is an error. */
  Map<Integer, Integer> errors() {
    var all = new TreeMap<Integer, Integer>();
    for (var worker : workers) {
      worker.errors.forEach((status, count) -> all.merge(status, count, Integer::sum));
    }
    return all;
  }

  @Override
  public void close() {
    if (isLeft) {
      return;
    }
    try {
      controller.close();
    } catch (VfioException e) {
      if (!isGone) {
        throw e;
      }
    } finally {
      device.close();
    }
  }

  /** One queue, and its thread. A slot is a command's token. */
  private final class Worker implements NvmeCompletionHandler {
    private final int number;
    private final NvmeQueue queue;
    private final SplittableRandom random;
    private final DmaBuffer buffer;
    private final MemorySegment memory;
    private final long slotBytes = LARGE + 2 * PAGE;
    private final int[] free;
    private int freeCount;
    private final long[] generationOf;
    private final long[] blockOf;
    private final int[] blocksOf;
    private final long[] offsetOf;
    private final boolean[] isRead;
    private long flushUnderWay;
    private final AtomicInteger largeOnes = new AtomicInteger();
    private final TreeMap<Integer, Integer> errors = new TreeMap<>();
    private volatile @Nullable RuntimeException failure;

    /** What was read that should not have been there. */
    private volatile @Nullable String wrong;

    /** Where the queue's own blocks begin, how many there are, and what each is. */
    private final long firstBlock;

    private final int blockCount;
    private final long[] content;

    Worker(int number) {
      this.number = number;
      queue = controller.openQueue();
      random = new SplittableRandom(plan.seed * 31 + number);
      buffer = device.dmaSpace().allocate(slotBytes * plan.depth);
      memory = buffer.segment();
      free = new int[plan.depth];
      generationOf = new long[plan.depth];
      blockOf = new long[plan.depth];
      blocksOf = new int[plan.depth];
      offsetOf = new long[plan.depth];
      isRead = new boolean[plan.depth];
      for (int slot = 0; slot < plan.depth; slot++) {
        free[freeCount++] = slot;
      }
      int share = Math.toIntExact(namespace.blockCount() / plan.queues);
      boolean isShared = plan.readPercent == 0;
      firstBlock = isShared ? 0 : (long) share * number;
      blockCount = isShared ? Math.toIntExact(namespace.blockCount()) : share;
      content = new long[isShared ? 0 : share];
      java.util.Arrays.fill(content, UNKNOWN);
    }

    void run() {
      try {
        while (!isGone
            && !(isEnding && queue.inFlight() == 0)
            && failure == null
            && wrong == null) {
          while (!isEnding && freeCount > 0 && put()) {
            // As long as there is room, and blocks that nobody is at.
          }
          queue.await(this, WAIT_NANOS);
        }
        if (isGone) {
          queue.poll(this); // what the server said last
        }
      } catch (RuntimeException e) {
        failure = e;
      }
    }

    private boolean put() {
      if (flushUnderWay == 0 && random.nextInt(100) < plan.flushPercent) {
        long flush = log.next();
        log.flushBegins(flush);
        flushUnderWay = flush;
        return queue.flush(namespace, FLUSH);
      }
      int slot = free[freeCount - 1];
      int largest = Math.min(LARGE / pattern.blockSize(), blockCount);
      int blocks = random.nextInt(10) < 6 ? largest : 1 + random.nextInt(Math.min(FEW, largest));
      // Large writes begin at one of a few places, so that many are of the same blocks.
      long first =
          blocks == largest
              ? (long) random.nextInt(Math.max(1, blockCount / largest)) * largest
              : random.nextInt(blockCount - blocks + 1);
      boolean reads = random.nextInt(100) < plan.readPercent;
      if (!claim(first, blocks, reads)) {
        return false;
      }
      // Anywhere: a PRP begins at a multiple of four.
      long offset = slot * slotBytes + (random.nextBoolean() ? 0 : 4L * random.nextInt(PAGE / 4));
      long block = firstBlock + first;
      blockOf[slot] = first;
      blocksOf[slot] = blocks;
      offsetOf[slot] = offset;
      isRead[slot] = reads;
      freeCount--;
      if (reads) {
        return queue.read(namespace, block, blocks, buffer, offset, slot);
      }
      long generation = log.next();
      generationOf[slot] = generation;
      pattern.fill(memory, offset, block, blocks, generation);
      boolean isDurable = random.nextInt(100) < plan.durablePercent;
      log.writeBegins(generation, block, blocks, isDurable);
      if (blocks == largest) {
        largeOnes.incrementAndGet();
      }
      return isDurable
          ? queue.writeThrough(namespace, block, blocks, buffer, offset, slot)
          : queue.write(namespace, block, blocks, buffer, offset, slot);
    }

    /** With blocks of its own a queue has one command at each at a time. */
    private boolean claim(long first, int blocks, boolean reads) {
      if (content.length == 0) {
        return true;
      }
      for (int slot = 0; slot < plan.depth; slot++) {
        if (blocksOf[slot] > 0
            && first < blockOf[slot] + blocksOf[slot]
            && blockOf[slot] < first + blocks) {
          return false;
        }
      }
      if (!reads) {
        for (int i = 0; i < blocks; i++) {
          content[(int) first + i] = BUSY;
        }
      }
      return true;
    }

    @Override
    public void completed(long token, int status, int result) {
      int code = status & STATUS_MASK;
      if (code == ABORTED_BY_HOST) {
        return; // it has no end; there is no next command, either
      }
      if (code != 0) {
        errors.merge(code, 1, Integer::sum);
      } else {
        acknowledged.incrementAndGet();
      }
      if (token == FLUSH) {
        log.flushEnded(flushUnderWay, code);
        flushUnderWay = 0;
        return;
      }
      int slot = (int) token;
      if (isRead[slot]) {
        if (code == 0) {
          compare(slot);
        }
      } else {
        log.writeEnded(generationOf[slot], code);
        if (blocksOf[slot] == Math.min(LARGE / pattern.blockSize(), blockCount)) {
          largeOnes.decrementAndGet();
        }
        for (int i = 0; i < blocksOf[slot] && content.length > 0; i++) {
          content[(int) blockOf[slot] + i] = code == 0 ? generationOf[slot] : UNKNOWN;
        }
      }
      blocksOf[slot] = 0;
      free[freeCount++] = slot;
    }

    private void compare(int slot) {
      for (int i = 0; i < blocksOf[slot]; i++) {
        long expected = content[(int) blockOf[slot] + i];
        long block = firstBlock + blockOf[slot] + i;
        long read =
            pattern.generation(memory, offsetOf[slot] + (long) i * pattern.blockSize(), block);
        if (read == BlockPattern.TORN || (expected != UNKNOWN && read != expected)) {
          wrong =
              "queue %d: block %d is of generation %d, and should be of %d"
                  .formatted(number, block, read, expected);
          return;
        }
      }
    }
  }
}
