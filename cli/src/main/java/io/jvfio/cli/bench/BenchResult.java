// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * What a run of {@code nvme bench} measured.
 *
 * @param jobs each thread's part
 * @param samples how it went over time
 * @param statusNames the errors that there were, in words
 * @param isInterrupted whether the user ended it
 * @param controllerFailure why the controller failed, if that has ended it
 */
public record BenchResult(
    List<Job> jobs,
    List<Sample> samples,
    Map<Integer, String> statusNames,
    boolean isInterrupted,
    Optional<String> controllerFailure) {

  /** Keeps its own lists. */
  public BenchResult {
    jobs = List.copyOf(jobs);
    samples = List.copyOf(samples);
    statusNames = Map.copyOf(statusNames);
  }

  /**
   * One thread's part.
   *
   * @param latencies of the I/Os that succeeded, in nanoseconds
   * @param bytes that they transferred; 0 if they never began to count
   * @param startNanos when I/Os began to count; 0 if they never did
   * @param endNanos when the last one was complete
   * @param errors how many failed, by status
   * @param allocatedBytes of heap by the thread, or {@link HeapUse#UNKNOWN}
   * @param verification of blocks
   * @param hasInterrupt whether it waited for interrupts
   */
  public record Job(
      Histogram latencies,
      long bytes,
      long startNanos,
      long endNanos,
      Map<Integer, Long> errors,
      long allocatedBytes,
      Verification verification,
      boolean hasInterrupt) {

    /** Whether I/Os began to count. */
    boolean hasBegun() {
      return startNanos != 0;
    }

    /** Whether there is anything to tell of. */
    boolean isMeasured() {
      return latencies.getTotalCount() > 0;
    }

    long nanos() {
      return endNanos - startNanos;
    }

    double seconds() {
      return Math.max(nanos(), 1) / 1e9;
    }

    double iops() {
      return latencies.getTotalCount() / seconds();
    }

    double bytesPerSecond() {
      return bytes / seconds();
    }

    /** How many I/Os failed. */
    public long failed() {
      return errors.values().stream().mapToLong(Long::longValue).sum();
    }
  }

  /**
   * What was found in blocks that had been written.
   *
   * @param blocks how many were looked at
   * @param wrong how many did not hold what they should
   * @param firstWrong one of these, and what is wrong with it
   */
  public record Verification(long blocks, long wrong, @Nullable String firstWrong) {}

  /**
   * A short time of the run.
   *
   * @param seconds its middle, from the start of the measurement
   * @param length of it in seconds
   * @param ios that were completed in it
   * @param bytes that they transferred
   */
  public record Sample(double seconds, double length, long ios, long bytes) {
    double iops() {
      return ios / length;
    }

    /** Both, of which the other one follows this. */
    Sample and(Sample next) {
      double start = seconds - length / 2;
      double both = length + next.length;
      return new Sample(start + both / 2, both, ios + next.ios, bytes + next.bytes);
    }
  }

  /** All jobs as one: from the start of the first to the end of the last. */
  public Job total() {
    var latencies = new Histogram(1, BenchJob.LONGEST, BenchJob.DIGITS);
    long bytes = 0;
    long start = 0;
    long end = 0;
    var errors = new TreeMap<Integer, Long>();
    long allocated = 0;
    long verified = 0;
    long wrong = 0;
    String firstWrong = null;
    for (var job : jobs) {
      latencies.add(job.latencies());
      bytes += job.bytes();
      if (job.startNanos() != 0) {
        start = start == 0 || job.startNanos() - start < 0 ? job.startNanos() : start;
        end = end == 0 || job.endNanos() - end > 0 ? job.endNanos() : end;
      }
      job.errors().forEach((status, count) -> errors.merge(status, count, Long::sum));
      allocated =
          allocated == HeapUse.UNKNOWN || job.allocatedBytes() == HeapUse.UNKNOWN
              ? HeapUse.UNKNOWN
              : allocated + job.allocatedBytes();
      verified += job.verification().blocks();
      wrong += job.verification().wrong();
      firstWrong = firstWrong == null ? job.verification().firstWrong() : firstWrong;
    }
    return new Job(
        latencies,
        bytes,
        start,
        end,
        errors,
        allocated,
        new Verification(verified, wrong, firstWrong),
        jobs.stream().allMatch(Job::hasInterrupt));
  }
}
