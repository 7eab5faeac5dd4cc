// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Table;
import io.jvfio.cli.output.Text;
import io.jvfio.nvme.NvmeNamespace;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.HdrHistogram.Histogram;

/** The result of {@code nvme bench} as text and as JSON. */
public final class BenchReport {
  private static final double[] PERCENTILES = {50, 90, 99, 99.9, 99.99};

  private final BenchPlan plan;
  private final BenchResult result;
  private final BenchResult.Job total;
  private final NvmeNamespace namespace;
  private final boolean isSimulated;

  /**
   * A report.
   *
   * @param isSimulated whether the device is part of this process
   */
  public BenchReport(
      BenchPlan plan, BenchResult result, NvmeNamespace namespace, boolean isSimulated) {
    this.plan = plan;
    this.isSimulated = isSimulated;
    this.result = result;
    this.namespace = namespace;
    total = result.total();
  }

  BenchResult result() {
    return result;
  }

  BenchResult.Job total() {
    return total;
  }

  /** What was done, in a line. */
  String what() {
    return "%s, %s blocks, depth %d, %s, %s%s"
        .formatted(
            plan.pattern().id(),
            plan.sizes(),
            plan.depth(),
            plan.jobs() == 1 ? "1 job" : plan.jobs() + " jobs",
            completions(),
            plan.rate().isPresent()
                ? ", at most %s IOPS".formatted(number(plan.rate().getAsDouble()))
                : "");
  }

  private String completions() {
    long polled = polledJobs();
    return polled == plan.jobs()
        ? "polled"
        : polled == 0 ? "interrupts" : "%d of them polled".formatted(polled);
  }

  private long polledJobs() {
    return result.jobs().stream().filter(job -> !job.hasInterrupt()).count();
  }

  /** Why there is no figure; empty if there are some. */
  public Optional<String> whyNothing() {
    if (result.controllerFailure().isPresent()) {
      // What was measured until then is not what the controller does.
      return Optional.of("the controller failed: " + result.controllerFailure().get());
    }
    if (total.isMeasured()) {
      return Optional.empty();
    }
    if (result.isInterrupted()) {
      return Optional.of(
          total.hasBegun()
              ? "the run was interrupted before an I/O was complete"
              : "the run was interrupted before the measurement began");
    }
    if (total.failed() > 0) {
      return Optional.of("no I/O succeeded");
    }
    var time = plan.timeNanos().isPresent() ? Text.latency(plan.timeNanos().getAsLong()) : "";
    if (plan.rate().isPresent()) {
      return Optional.of(
          "at %s IOPS there is an I/O every %s, and none fell into the %s of the measurement"
              .formatted(
                  number(plan.rate().getAsDouble()),
                  Text.latency(1e9 / plan.rate().getAsDouble()),
                  time));
    }
    return Optional.of(
        total.hasBegun()
            ? "no I/O was complete within " + time
            : "the measurement was over, after %s, before a job had begun with it".formatted(time));
  }

  private static String number(double value) {
    return value == Math.rint(value) && value < 1e15
        ? "%,d".formatted((long) value)
        : Double.toString(value);
  }

  /** The result in a line. */
  String summary() {
    return "%,.0f IOPS, %s, %s"
        .formatted(total.iops(), rate(total.bytesPerSecond()), Text.seconds(total.nanos()));
  }

  private static String rate(double bytesPerSecond) {
    return "%,.1f MB/s".formatted(bytesPerSecond / 1e6);
  }

  public void print(Output output) {
    output.line(what());
    output.line(
        "on the first %s of namespace %d, %s%s, seed %d"
            .formatted(
                Text.bytes(plan.blocks(namespace) * namespace.blockSize()),
                namespace.id(),
                Text.seconds(total.nanos()),
                plan.warmupNanos() == 0
                    ? ""
                    : " after %s of warm-up".formatted(Text.seconds(plan.warmupNanos())),
                plan.seed()));
    if (result.isInterrupted()) {
      output.line("Interrupted: these are the results so far.");
    }
    output.line("");
    var nothing = whyNothing();
    if (nothing.isPresent()) {
      output.line("Nothing was measured: %s.".formatted(nothing.get()));
    } else {
      printFigures(output);
    }
    if (plan.verify() && total.verification().blocks() > 0) {
      output.line(verification());
    }
    errors().forEach(output::line);
  }

  private void printFigures(Output output) {
    var table =
        new Table(
            "", "JOB", "IOPS", "RATE", "MIN", "MEAN", "P50", "P90", "P99", "P99.9", "P99.99",
            "MAX");
    if (result.jobs().size() > 1) {
      for (int i = 0; i < result.jobs().size(); i++) {
        row(table, Integer.toString(i), result.jobs().get(i));
      }
    }
    row(table, "all", total);
    output.table(table);
    output.line("");
    if (plan.interrupts() && polledJobs() > 0) {
      output.line("Jobs for which no interrupt vector was left polled.");
    }
    if (plan.rate().isPresent()) {
      output.line("Latency counts from when an I/O should have started by the rate.");
    }
    if (total.allocatedBytes() != HeapUse.UNKNOWN) {
      output.line(
          "Heap allocated by the jobs: %,d bytes in %,d I/Os, %.3f each%s"
              .formatted(
                  total.allocatedBytes(),
                  total.latencies().getTotalCount(),
                  allocatedPerIo(),
                  isSimulated
                      ? " (most of it by the simulated device, which works in their threads)"
                      : ""));
    }
  }

  private static void row(Table table, String name, BenchResult.Job job) {
    var cells = new ArrayList<String>();
    var latencies = job.latencies();
    cells.add(name);
    cells.add(job.hasBegun() ? "%,.0f".formatted(job.iops()) : "-");
    cells.add(job.hasBegun() ? rate(job.bytesPerSecond()) : "-");
    if (latencies.getTotalCount() == 0) {
      for (int i = 0; i < PERCENTILES.length + 3; i++) {
        cells.add("-");
      }
    } else {
      cells.add(Text.latency(latencies.getMinValue()));
      cells.add(Text.latency(latencies.getMean()));
      for (double percentile : PERCENTILES) {
        cells.add(Text.latency(latencies.getValueAtPercentile(percentile)));
      }
      cells.add(Text.latency(latencies.getMaxValue()));
    }
    table.row(cells.toArray(String[]::new));
  }

  private double allocatedPerIo() {
    return (double) total.allocatedBytes() / Math.max(total.latencies().getTotalCount(), 1);
  }

  private String verification() {
    var found = total.verification();
    var wrong = found.firstWrong();
    if (wrong != null) {
      return "Verified %,d blocks: %,d are wrong; %s"
          .formatted(found.blocks(), found.wrong(), wrong);
    }
    return result.isInterrupted() && plan.pattern().writes()
        ? "Not all that was written was verified, as the run was interrupted: %,d blocks are right"
            .formatted(found.blocks())
        : "Verified %,d blocks (%s): all right"
            .formatted(found.blocks(), Text.span((double) found.blocks() * namespace.blockSize()));
  }

  private List<String> errors() {
    return total.errors().entrySet().stream()
        .map(
            error ->
                "%,d commands failed: %s (status type 0x%x, code 0x%02x)"
                    .formatted(
                        error.getValue(),
                        result.statusNames().get(error.getKey()),
                        error.getKey() >> 8,
                        error.getKey() & 0xff))
        .toList();
  }

  /** The members of the JSON document. */
  public Map<String, Object> json() {
    var found = total.verification();
    return Json.object(
        "namespace",
        Json.object("id", namespace.id(), "blockSize", namespace.blockSize()),
        "options",
        options(),
        "interrupted",
        result.isInterrupted(),
        "measured",
        isMeasured(),
        "whyNothing",
        whyNothing(),
        "elapsedNanos",
        total.nanos(),
        "ios",
        total.latencies().getTotalCount(),
        "bytes",
        total.bytes(),
        "iops",
        figure(total, total.iops()),
        "bytesPerSecond",
        figure(total, total.bytesPerSecond()),
        "latencyNanos",
        latencies(total.latencies()),
        "heapBytesPerIo",
        total.allocatedBytes() == HeapUse.UNKNOWN || !isMeasured()
            ? Optional.empty()
            : Optional.of(allocatedPerIo()),
        "errors",
        total.errors().entrySet().stream()
            .map(
                error ->
                    Json.object(
                        "statusType",
                        error.getKey() >> 8,
                        "statusCode",
                        error.getKey() & 0xff,
                        "name",
                        result.statusNames().getOrDefault(error.getKey(), ""),
                        "count",
                        error.getValue()))
            .toList(),
        "verified",
        plan.verify()
            ? Optional.of(
                Json.object(
                    "blocks",
                    found.blocks(),
                    "wrong",
                    found.wrong(),
                    "firstWrong",
                    Optional.ofNullable(found.firstWrong())))
            : Optional.empty(),
        "jobs",
        result.jobs().stream().map(this::json).toList(),
        "samples",
        result.samples().stream()
            .filter(_ -> isMeasured())
            .map(
                sample ->
                    Json.object(
                        "seconds",
                        sample.seconds(),
                        "iops",
                        sample.iops(),
                        "bytesPerSecond",
                        sample.bytes() / sample.length()))
            .toList());
  }

  private boolean isMeasured() {
    return whyNothing().isEmpty();
  }

  /** None of a job that never began to measure, or if nothing counts. */
  private Optional<Double> figure(BenchResult.Job job, double value) {
    return isMeasured() && job.isMeasured() ? Optional.of(value) : Optional.empty();
  }

  private Map<String, Object> options() {
    return Json.object(
        "pattern",
        plan.pattern().id(),
        "blockSize",
        plan.sizes().smallest(),
        "largestBlockSize",
        plan.sizes().largest(),
        "depth",
        plan.depth(),
        "jobs",
        plan.jobs(),
        "rangeBytes",
        plan.blocks(namespace) * namespace.blockSize(),
        "timeNanos",
        plan.timeNanos(),
        "size",
        plan.byteLimit(),
        "warmupNanos",
        plan.warmupNanos(),
        "rate",
        plan.rate().isPresent() ? Optional.of(plan.rate().getAsDouble()) : Optional.empty(),
        "interrupts",
        plan.interrupts(),
        "verify",
        plan.verify(),
        "seed",
        plan.seed());
  }

  private Map<String, Object> json(BenchResult.Job job) {
    return Json.object(
        "ios", job.latencies().getTotalCount(),
        "bytes", job.bytes(),
        "iops", figure(job, job.iops()),
        "bytesPerSecond", figure(job, job.bytesPerSecond()),
        "interrupts", job.hasInterrupt(),
        "latencyNanos", latencies(job.latencies()));
  }

  private static Map<String, Object> latencies(Histogram latencies) {
    boolean any = latencies.getTotalCount() > 0;
    var json = new LinkedHashMap<String, Object>();
    json.put("min", any ? OptionalLong.of(latencies.getMinValue()) : OptionalLong.empty());
    json.put("mean", any ? Optional.of(latencies.getMean()) : Optional.empty());
    for (double percentile : PERCENTILES) {
      json.put(
          "p" + name(percentile),
          any ? OptionalLong.of(latencies.getValueAtPercentile(percentile)) : OptionalLong.empty());
    }
    json.put("max", any ? OptionalLong.of(latencies.getMaxValue()) : OptionalLong.empty());
    return json;
  }

  private static String name(double percentile) {
    return percentile == Math.rint(percentile)
        ? Long.toString((long) percentile)
        : Double.toString(percentile);
  }

  /**
   * Whether all was well.
   *
   * @throws CommandFailure if commands failed, blocks are wrong, or nothing was measured
   */
  public void requireSuccess() {
    if (total.verification().wrong() > 0) {
      throw new CommandFailure(verification());
    }
    if (result.controllerFailure().isPresent()) {
      throw new CommandFailure("nothing was measured: " + whyNothing().orElseThrow());
    }
    if (total.failed() > 0) {
      throw new CommandFailure(errors().stream().collect(Collectors.joining("; ")));
    }
    whyNothing()
        .ifPresent(
            why -> {
              throw new CommandFailure("nothing was measured: " + why);
            });
  }
}
