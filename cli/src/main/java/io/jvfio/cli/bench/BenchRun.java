// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import io.jvfio.DmaBuffer;
import io.jvfio.DmaSpace;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Progress;
import io.jvfio.cli.output.Text;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Optional;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * Runs the jobs of {@code nvme bench}: opens their queues and buffers, tells them when to measure
 * and when to stop, watches them meanwhile, and closes everything once their threads have ended.
 */
public final class BenchRun {
  private static final long TICK_NANOS = 100_000_000;
  private static final long SECOND = 1_000_000_000;

  private final BenchPlan plan;
  private final BenchClock clock;
  private final Progress progress;
  private final List<Lane> lanes = new ArrayList<>();
  private final List<BenchResult.Sample> samples = new ArrayList<>();
  private final Histogram lastSecond = new Histogram(1, BenchJob.LONGEST, BenchJob.DIGITS);

  private long measureStart;
  private long sampleStart;
  private long sampledBytes;
  private long shownAt;
  private long shownBytes;
  private boolean isThreadInterrupted;

  /**
   * A run.
   *
   * @param clock what a user who has seen enough stops
   */
  public BenchRun(BenchPlan plan, BenchClock clock, Progress progress) {
    this.plan = plan;
    this.clock = clock;
    this.progress = progress;
  }

  /** A job, what it works with, and what it has measured so far. */
  private static final class Lane implements AutoCloseable {
    final NvmeQueue queue;
    final DmaBuffer buffer;
    final BenchJob job;
    final Histogram all = new Histogram(1, BenchJob.LONGEST, BenchJob.DIGITS);

    /** What the job's recorder gets back for what it gives. */
    @Nullable Histogram interval;

    Lane(NvmeQueue queue, DmaBuffer buffer, BenchJob job) {
      this.queue = queue;
      this.buffer = buffer;
      this.job = job;
    }

    @Override
    public void close() {
      // The queue first: the controller must be done with the buffer when that is freed.
      try (buffer) {
        queue.close();
      }
    }
  }

  /**
   * Does it all.
   *
   * @throws RuntimeException what made a job end before its time
   */
  public BenchResult run(DmaSpace space, NvmeController controller, NvmeNamespace namespace) {
    Throwable thrown = null;
    try {
      for (int i = 0; i < plan.jobs(); i++) {
        open(space, controller, namespace, i);
      }
      return run(controller);
    } catch (RuntimeException | Error e) {
      thrown = e;
      throw e;
    } finally {
      close(thrown);
    }
  }

  private void open(
      DmaSpace space, NvmeController controller, NvmeNamespace namespace, int number) {
    var queue = controller.openQueue();
    DmaBuffer buffer;
    try {
      int commands = BenchJob.commandsPerIo(plan, queue.maxTransferBytes());
      if ((long) plan.depth() * commands > queue.depth()) {
        throw new CommandFailure(
            "%d I/Os in flight of %s are up to %d commands, and a queue of this controller takes %d"
                .formatted(
                    plan.depth(),
                    Text.bytes(plan.sizes().largest()),
                    plan.depth() * commands,
                    queue.depth()));
      }
      buffer = space.allocate(plan.depth() * plan.slotBytes());
    } catch (RuntimeException | Error e) {
      closeInto(e, queue);
      throw e;
    }
    lanes.add(new Lane(queue, buffer, new BenchJob(plan, clock, namespace, queue, buffer, number)));
  }

  private void close(@Nullable Throwable thrown) {
    var failure = thrown;
    for (var lane : lanes.reversed()) {
      try {
        lane.close();
      } catch (RuntimeException | Error e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (thrown == null) {
      rethrow(failure);
    }
  }

  private static void closeInto(Throwable failure, AutoCloseable closeable) {
    try {
      closeable.close();
    } catch (Exception e) {
      failure.addSuppressed(e);
    }
  }

  private static void rethrow(@Nullable Throwable failure) {
    switch (failure) {
      case null -> {}
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(failure);
    }
  }

  private BenchResult run(NvmeController controller) {
    if (plan.warmupNanos() == 0) {
      clock.advance(BenchClock.MEASURE);
    }
    var threads = new ArrayList<Thread>();
    try {
      for (var lane : lanes) {
        threads.add(Thread.ofPlatform().name("jvfio-nvme-bench-" + threads.size()).start(lane.job));
      }
      watch(threads);
    } finally {
      // Whatever happened here: nothing is closed under a thread that uses it.
      clock.advance(BenchClock.STOP);
      threads.forEach(this::join);
    }
    sample(System.nanoTime());
    Throwable failure = null;
    for (var lane : lanes) {
      var also = lane.job.failure();
      if (failure == null) {
        failure = also;
      } else if (also != null) {
        failure.addSuppressed(also);
      }
    }
    rethrow(failure);
    var jobs = lanes.stream().map(lane -> lane.job.result(lane.all)).toList();
    var statusNames = new HashMap<Integer, String>();
    for (var job : jobs) {
      for (int status : job.errors().keySet()) {
        var queue = lanes.getFirst().queue;
        statusNames.put(status, queue.failure(status, plan.pattern().id()).statusName());
      }
    }
    return new BenchResult(
        jobs,
        samples,
        statusNames,
        clock.isInterrupted(),
        lanes.stream().anyMatch(lane -> lane.job.isAborted())
            ? controller.failure().map(Throwable::getMessage)
            : Optional.empty());
  }

  private void watch(List<Thread> threads) {
    long start = System.nanoTime();
    boolean measures = plan.warmupNanos() == 0;
    measureStart = start;
    sampleStart = start;
    shownAt = start;
    while (true) {
      var running = threads.stream().filter(Thread::isAlive).findFirst();
      if (running.isEmpty()) {
        return;
      }
      long now = System.nanoTime();
      if (!measures && now - start >= plan.warmupNanos()) {
        measures = true;
        measureStart = now;
        sampleStart = now;
        shownAt = now;
        clock.advance(BenchClock.MEASURE);
      }
      if (measures && now - measureStart >= plan.timeNanos().orElse(Long.MAX_VALUE)) {
        clock.advance(BenchClock.VERIFY);
      }
      if (measures && now - sampleStart >= TICK_NANOS / 2) {
        sample(now);
      }
      show(now, measures);
      pause(running.get(), Math.min(TICK_NANOS, untilNext(now, start, measures)));
    }
  }

  private long untilNext(long now, long start, boolean measures) {
    if (!measures) {
      return start + plan.warmupNanos() - now;
    }
    long left = plan.timeNanos().orElse(Long.MAX_VALUE) - (now - measureStart);
    return left > 0 ? left : TICK_NANOS;
  }

  private void pause(Thread job, long nanos) {
    try {
      job.join(Duration.ofNanos(nanos));
    } catch (InterruptedException e) {
      clock.interrupt();
      isThreadInterrupted = true;
    }
  }

  /** Waits for a job to end; a user's impatience must not free memory that a device writes to. */
  private void join(Thread job) {
    while (job.isAlive()) {
      pause(job, SECOND);
    }
    if (isThreadInterrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Takes what the jobs have measured since the last time. */
  private void sample(long now) {
    long ios = 0;
    long bytes = 0;
    for (var lane : lanes) {
      if (lane.job.isMeasuring()) {
        lane.interval = lane.job.latencies(lane.interval);
        lane.all.add(lane.interval);
        lastSecond.add(lane.interval);
        ios += lane.interval.getTotalCount();
        bytes += lane.job.bytesDone();
      }
    }
    double length = Math.max(now - sampleStart, 1) / 1e9;
    if (ios > 0 || clock.phase() <= BenchClock.MEASURE) {
      double start = (sampleStart - measureStart) / 1e9;
      var sample = new BenchResult.Sample(start + length / 2, length, ios, bytes - sampledBytes);
      if (now - sampleStart < TICK_NANOS / 2 && !samples.isEmpty()) {
        // What is left at the end of a run: too short for a rate of its own.
        sample = samples.removeLast().and(sample);
      }
      samples.add(sample);
    }
    sampleStart = now;
    sampledBytes = bytes;
  }

  private void show(long now, boolean measures) {
    if (now - shownAt < SECOND) {
      return;
    }
    double seconds = (now - shownAt) / 1e9;
    var elapsed = Text.seconds(now - measureStart);
    if (!measures) {
      progress.show("warming up");
    } else if (clock.phase() >= BenchClock.VERIFY) {
      long done = lanes.stream().mapToLong(lane -> lane.job.blocksLookedAt()).sum();
      progress.show("verifying: %,d blocks looked at".formatted(done));
    } else {
      progress.show(
          "%s  %,.0f IOPS  %,.1f MB/s  p99 of the last second %s"
              .formatted(
                  elapsed,
                  lastSecond.getTotalCount() / seconds,
                  (sampledBytes - shownBytes) / 1e6 / seconds,
                  Text.latency(lastSecond.getValueAtPercentile(99))));
    }
    lastSecond.reset();
    shownBytes = sampledBytes;
    shownAt = now;
  }
}
