// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import io.jvfio.DmaBuffer;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.nvme.NvmeCompletionHandler;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeQueue;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.SingleWriterRecorder;
import org.jspecify.annotations.Nullable;

/**
 * One thread's part of a run: a queue pair, buffers and a part of the blocks, all its own.
 *
 * <p>An I/O has a slot, which is its token: a buffer, its first block, its start. It is as many
 * commands as the controller wants for its size, and done when all of them are. All I/Os put in one
 * round start at the time of their common doorbell, all completions taken in one round end at the
 * time of the first; two looks at the clock per round. With a rate an I/O starts when its time has
 * come by the rate, even if it had to wait for a slot: a stall is counted for all who would have
 * suffered from it, not only for those in flight.
 *
 * <p>With verification {@link #generations} has for each block how often it was written, negative
 * while a write is in flight. A block that is being written is not chosen again until that is done,
 * for it could hold either content afterwards.
 *
 * <p>Nothing here allocates per I/O.
 */
public final class BenchJob implements Runnable, NvmeCompletionHandler {
  /** The longest latency that is told from longer ones: an hour. */
  public static final long LONGEST = 3_600_000_000_000L;

  public static final int DIGITS = 3;

  /** So long that no run sees the next I/O, and short enough to be added up: 11 days. */
  private static final long LONGEST_INTERVAL = 1_000_000_000_000_000L;

  private static final long ROUND_NANOS = 10_000_000;
  private static final long SPIN_NANOS = 150_000;
  private static final long DRAIN_NANOS = 60_000_000_000L;
  private static final int CHOICES = 16;
  private static final int STATUS_MASK = 0x7ff;

  /** Command Aborted By Host: the driver ended it, and would end the next in most cases. */
  private static final int ABORTED_BY_HOST = 0x371;

  private static final int IN_FLIGHT = Integer.MIN_VALUE;
  private static final int GENERATION_MASK = Integer.MAX_VALUE;

  private final BenchPlan plan;
  private final BenchClock clock;
  private final NvmeNamespace namespace;
  private final NvmeQueue queue;
  private final DmaBuffer buffer;
  private final MemorySegment memory;
  private final int number;

  private final int blockSize;
  private final long firstBlock;
  private final long blockCount;
  private final int blocksPerCommand;
  private final int unitBlocks;
  private final long unitsOfLargest;
  private final long rateInterval;
  private final int @Nullable [] generations;

  private final long[] slotStart;
  private final long[] slotBlock;
  private final int[] slotBlocks;
  private final int[] slotPending;
  private final int[] slotStatus;
  private final int[] freeSlots;
  private final int[] doneSlots;
  private int freeCount;
  private int doneCount;

  private final SingleWriterRecorder latencies = new SingleWriterRecorder(1, LONGEST, DIGITS);
  private final AtomicLong bytesDone = new AtomicLong();
  private final long[] errors = new long[STATUS_MASK + 1];
  private long random;
  private long cursor;
  private long bytesToPut;
  private long due;
  private long batchTime;
  private boolean verifying;
  private boolean isAborted;
  private int clockPhase = BenchClock.WARM_UP;

  private volatile boolean isMeasuring;
  private volatile boolean isDone;
  private volatile @Nullable Throwable failure;
  private long startNanos;
  private long endNanos;
  private long allocatedBefore;
  private long allocatedBytes = HeapUse.UNKNOWN;
  private long verifiedBlocks;
  private final AtomicLong blocksLookedAt = new AtomicLong();
  private long wrongBlocks;
  private @Nullable String firstWrong;

  /** A job that uses a queue and a buffer that somebody else closes after it has ended. */
  BenchJob(
      BenchPlan plan,
      BenchClock clock,
      NvmeNamespace namespace,
      NvmeQueue queue,
      DmaBuffer buffer,
      int number) {
    this.plan = plan;
    this.clock = clock;
    this.namespace = namespace;
    this.queue = queue;
    this.buffer = buffer;
    this.number = number;
    memory = buffer.segment();
    blockSize = namespace.blockSize();
    blockCount = plan.blocksPerJob(namespace);
    firstBlock = number * blockCount;
    blocksPerCommand = (int) Math.min(queue.maxTransferBytes() / blockSize, 1 << 16);
    unitBlocks = (int) (plan.sizes().smallest() / blockSize);
    unitsOfLargest = plan.sizes().largest() / plan.sizes().smallest();
    rateInterval =
        plan.rate().isPresent()
            ? Math.min((long) (1e9 * plan.jobs() / plan.rate().getAsDouble()), LONGEST_INTERVAL)
            : 0;
    boolean remembers = plan.verify() && plan.pattern().writes();
    generations = remembers ? new int[Math.toIntExact(blockCount)] : null;
    int depth = plan.depth();
    slotStart = new long[depth];
    slotBlock = new long[depth];
    slotBlocks = new int[depth];
    slotPending = new int[depth];
    slotStatus = new int[depth];
    freeSlots = new int[depth];
    doneSlots = new int[depth];
    for (int i = 0; i < depth; i++) {
      freeSlots[i] = i;
    }
    freeCount = depth;
    random = plan.seed() + number * 0x632be59bd9b4e019L;
    fill();
  }

  /** Random data, for devices that store zeros faster than anything else. */
  private void fill() {
    for (long offset = 0; offset < memory.byteSize(); offset += Long.BYTES) {
      memory.set(ValueLayout.JAVA_LONG, offset, random());
    }
  }

  /** How many commands an I/O of the largest size is. */
  static int commandsPerIo(BenchPlan plan, long maxTransferBytes) {
    return Math.toIntExact(Math.ceilDiv(plan.sizes().largest(), maxTransferBytes));
  }

  @Override
  public void run() {
    try {
      bytesToPut = Long.MAX_VALUE;
      due = System.nanoTime() + rateInterval * number / plan.jobs();
      transfer();
      drain();
      endMeasuring();
      if (generations != null && !isAborted && clock.phase() != BenchClock.STOP) {
        readBack(generations);
      }
    } catch (RuntimeException | Error e) {
      failure = e;
      clock.advance(BenchClock.STOP);
    } finally {
      isDone = true;
    }
  }

  private void transfer() {
    while (true) {
      int phase = clock.phase();
      if (phase != clockPhase) {
        clockPhase = phase;
        if (phase == BenchClock.MEASURE) {
          beginMeasuring();
        }
      }
      if (phase >= BenchClock.VERIFY || isAborted) {
        return;
      }
      if (putAll()) {
        queue.ring();
      }
      if (queue.inFlight() > 0) {
        take(rateInterval > 0 && freeCount > 0 ? due - System.nanoTime() : ROUND_NANOS);
      } else if (bytesToPut <= 0) {
        return;
      } else {
        awaitDue();
      }
    }
  }

  private void beginMeasuring() {
    latencies.reset();
    Arrays.fill(errors, 0);
    bytesDone.setPlain(0);
    bytesToPut = share();
    startNanos = System.nanoTime();
    allocatedBefore = HeapUse.ofThisThread();
    isMeasuring = true;
  }

  private void endMeasuring() {
    if (isMeasuring) {
      long allocated = HeapUse.ofThisThread();
      if (allocated != HeapUse.UNKNOWN) {
        allocatedBytes = allocated - allocatedBefore;
      }
      endNanos = System.nanoTime();
    }
  }

  /** How many bytes are this job's of those that all are to transfer. */
  private long share() {
    if (plan.byteLimit().isEmpty()) {
      return Long.MAX_VALUE;
    }
    long blocks = plan.byteLimit().getAsLong() / blockSize;
    return (blocks / plan.jobs() + (number < blocks % plan.jobs() ? 1 : 0)) * blockSize;
  }

  private boolean putAll() {
    boolean any = false;
    long now = System.nanoTime();
    while (freeCount > 0 && bytesToPut > 0 && (rateInterval == 0 || due - now <= 0)) {
      if (!put(rateInterval == 0 ? now : due)) {
        break;
      }
      any = true;
      due += rateInterval;
    }
    return any;
  }

  /** Puts the next I/O into the queue, unless it has to wait for one in flight. */
  private boolean put(long start) {
    int blocks = (int) Math.min(unitBlocks * (1 + below(unitsOfLargest)), bytesToPut / blockSize);
    long block = choose(blocks);
    if (block < 0) {
      return false;
    }
    int slot = freeSlots[--freeCount];
    long offset = slot * plan.slotBytes();
    if (generations != null) {
      for (int i = 0; i < blocks; i++) {
        int index = (int) (block - firstBlock) + i;
        int generation = (generations[index] & GENERATION_MASK) + 1;
        generations[index] = generation | IN_FLIGHT;
        BlockContent.stamp(
            memory, offset + (long) i * blockSize, blockSize, block + i, plan.seed(), generation);
      }
    } else if (plan.verify()) {
      spoil(offset, blocks);
    }
    bytesToPut -= (long) blocks * blockSize;
    slotStart[slot] = start;
    send(plan.pattern().writes(), slot, block, blocks);
    return true;
  }

  private void send(boolean write, int slot, long block, int blocks) {
    slotBlock[slot] = block;
    slotBlocks[slot] = blocks;
    slotPending[slot] = 0;
    slotStatus[slot] = 0;
    long offset = slot * plan.slotBytes();
    for (int done = 0; done < blocks; done += blocksPerCommand) {
      int count = Math.min(blocksPerCommand, blocks - done);
      long at = offset + (long) done * blockSize;
      boolean put =
          write
              ? queue.write(namespace, block + done, count, buffer, at, slot)
              : queue.read(namespace, block + done, count, buffer, at, slot);
      if (!put) {
        throw new IllegalStateException("queue %d is full".formatted(queue.id()));
      }
      slotPending[slot]++;
    }
  }

  /** Where the next I/O goes, or -1 if all that could be has a write in flight. */
  private long choose(int blocks) {
    if (!plan.pattern().isRandom()) {
      if (cursor + blocks > blockCount) {
        cursor = 0;
      }
      if (isBusy(cursor, blocks)) {
        return -1;
      }
      long block = firstBlock + cursor;
      cursor += blocks;
      return block;
    }
    for (int i = 0; i < CHOICES; i++) {
      long index = unitBlocks * below((blockCount - blocks) / unitBlocks + 1);
      if (!isBusy(index, blocks)) {
        return firstBlock + index;
      }
    }
    return -1;
  }

  private boolean isBusy(long index, int blocks) {
    if (generations != null) {
      for (int i = 0; i < blocks; i++) {
        if (generations[(int) index + i] < 0) {
          return true;
        }
      }
    }
    return false;
  }

  /** SplitMix64. */
  private long random() {
    random += 0x9e3779b97f4a7c15L;
    long mixed = (random ^ (random >>> 30)) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
    return mixed ^ (mixed >>> 31);
  }

  private long below(long bound) {
    return bound == 1 ? 0 : Math.unsignedMultiplyHigh(random(), bound);
  }

  /** Waits for the time of the next I/O: asleep while that is far, awake at the end. */
  private void awaitDue() {
    long nanos = Math.min(due - System.nanoTime(), ROUND_NANOS);
    if (rateInterval > 0 && nanos > SPIN_NANOS) {
      LockSupport.parkNanos(nanos - SPIN_NANOS);
    } else {
      Thread.onSpinWait();
    }
  }

  private void take(long nanos) {
    batchTime = 0;
    queue.await(this, Math.clamp(nanos, 0, ROUND_NANOS));
    while (doneCount > 0) {
      finish(doneSlots[--doneCount]);
    }
  }

  private void drain() {
    long end = System.nanoTime() + DRAIN_NANOS;
    while (queue.inFlight() > 0) {
      take(ROUND_NANOS);
      if (System.nanoTime() - end > 0) {
        throw new CommandFailure(
            "%d commands of queue %d were not completed within a minute"
                .formatted(queue.inFlight(), queue.id()));
      }
    }
  }

  @Override
  public void completed(long token, int status, int result) {
    if (batchTime == 0) {
      batchTime = System.nanoTime();
    }
    int slot = (int) token;
    if (slot < 0) {
      if (status != 0) {
        error(status);
      }
      return;
    }
    if (status != 0) {
      slotStatus[slot] = status;
    }
    slotPending[slot]--;
    if (slotPending[slot] == 0) {
      if (slotStatus[slot] == 0 && !verifying) {
        latencies.recordValue(Math.clamp(batchTime - slotStart[slot], 1, LONGEST));
        bytesDone.setRelease(bytesDone.getPlain() + (long) slotBlocks[slot] * blockSize);
      }
      doneSlots[doneCount++] = slot;
    }
  }

  /** What does not belong to the latency of an I/O. */
  private void finish(int slot) {
    int status = slotStatus[slot];
    if (verifying && plan.goesOn() && isAborted(status)) {
      // The block is there as it was; only the controller was away.
      send(false, slot, slotBlock[slot], slotBlocks[slot]);
      return;
    }
    if (status != 0) {
      error(status);
    } else if (plan.verify() && (verifying || !plan.pattern().writes())) {
      check(slot);
    }
    if (generations != null && !verifying) {
      for (int i = 0; i < slotBlocks[slot]; i++) {
        int index = (int) (slotBlock[slot] - firstBlock) + i;
        // A failed write leaves one content or the other: nothing is expected of the block.
        generations[index] = status == 0 ? generations[index] & GENERATION_MASK : 0;
      }
    }
    freeSlots[freeCount++] = slot;
  }

  private void error(int status) {
    errors[status & STATUS_MASK]++;
    isAborted |= !plan.goesOn() && isAborted(status);
  }

  private static boolean isAborted(int status) {
    return (status & STATUS_MASK) == ABORTED_BY_HOST;
  }

  private void spoil(long offset, int blocks) {
    for (int i = 0; i < blocks; i++) {
      BlockContent.spoil(memory, offset + (long) i * blockSize);
    }
  }

  private void check(int slot) {
    long offset = slot * plan.slotBytes();
    boolean anySeed = !plan.pattern().writes() && plan.readSeed().isEmpty();
    for (int i = 0; i < slotBlocks[slot]; i++) {
      long block = slotBlock[slot] + i;
      long generation = BlockContent.ANY_GENERATION;
      if (generations != null) {
        generation = generations[(int) (block - firstBlock)];
        if (generation == 0) {
          continue;
        }
      }
      verifiedBlocks++;
      long at = offset + (long) i * blockSize;
      if (!BlockContent.check(memory, at, blockSize, block, plan.seed(), anySeed, generation)) {
        wrongBlocks++;
        if (firstWrong == null) {
          firstWrong =
              "block %,d: %s"
                  .formatted(
                      block,
                      BlockContent.finding(memory, at, blockSize, block, plan.seed(), generation));
        }
      }
    }
  }

  /** Looks at each block that was written. */
  private void readBack(int[] written) {
    flush();
    verifying = true;
    int most = (int) (plan.slotBytes() / blockSize);
    int next = 0;
    while (clock.phase() != BenchClock.STOP && !isAborted) {
      boolean put = false;
      while (freeCount > 0) {
        while (next < written.length && written[next] == 0) {
          next++;
        }
        if (next == written.length) {
          break;
        }
        int blocks = Math.min(most, written.length - next);
        int slot = freeSlots[--freeCount];
        spoil(slot * plan.slotBytes(), blocks);
        send(false, slot, firstBlock + next, blocks);
        next += blocks;
        put = true;
      }
      blocksLookedAt.setRelease(next);
      if (put) {
        queue.ring();
      } else if (queue.inFlight() == 0) {
        return;
      }
      take(ROUND_NANOS);
    }
    drain();
  }

  private void flush() {
    if (!queue.flush(namespace, -1)) {
      throw new IllegalStateException("queue %d is full".formatted(queue.id()));
    }
    queue.ring();
    drain();
  }

  /** Whether I/Os count, or did until the job ended. */
  boolean isMeasuring() {
    return isMeasuring;
  }

  boolean isDone() {
    return isDone;
  }

  /** Whether a reset of the controller has ended it; once it is done. */
  boolean isAborted() {
    return isAborted;
  }

  /** Why the job ended before its time. */
  @Nullable Throwable failure() {
    return failure;
  }

  /** The latencies since the last call; {@code recycled} becomes the recorder's. */
  Histogram latencies(@Nullable Histogram recycled) {
    return recycled == null
        ? latencies.getIntervalHistogram()
        : latencies.getIntervalHistogram(recycled);
  }

  /** Bytes transferred so far. */
  long bytesDone() {
    return bytesDone.getAcquire();
  }

  /** How many blocks of this job's part were read back, or had not to be. */
  long blocksLookedAt() {
    return blocksLookedAt.getAcquire();
  }

  /** What came out, but for the latencies; once the job is done. */
  BenchResult.Job result(Histogram all) {
    Map<Integer, Long> byStatus = new TreeMap<>();
    for (int status = 0; status < errors.length; status++) {
      if (errors[status] > 0) {
        byStatus.put(status, errors[status]);
      }
    }
    return new BenchResult.Job(
        all,
        isMeasuring ? bytesDone() : 0,
        startNanos,
        endNanos,
        byStatus,
        allocatedBytes,
        new BenchResult.Verification(verifiedBlocks, wrongBlocks, firstWrong),
        queue.hasInterrupt());
  }
}
