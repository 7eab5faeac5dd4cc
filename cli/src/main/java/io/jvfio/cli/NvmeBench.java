// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.VfioDevice;
import io.jvfio.cli.bench.BenchClock;
import io.jvfio.cli.bench.BenchPattern;
import io.jvfio.cli.bench.BenchPlan;
import io.jvfio.cli.bench.BenchPlot;
import io.jvfio.cli.bench.BenchReport;
import io.jvfio.cli.bench.BenchResult;
import io.jvfio.cli.bench.BenchRun;
import io.jvfio.cli.option.ByteSize;
import io.jvfio.cli.option.SizeRange;
import io.jvfio.cli.option.TimeSpan;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Plot;
import io.jvfio.cli.output.Progress;
import io.jvfio.cli.output.StandardOutput;
import io.jvfio.nvme.NvmeCompletionMode;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.user.VfioUserOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code jvfio nvme bench}. */
@Command(
    name = "bench",
    description = {
      "Measure how many I/Os per second a namespace does, and how long each takes.",
      "Each job is a thread with a queue pair of its own and an equal part of the range. It runs"
          + " for --time, or until --size is transferred, and Ctrl-C ends it early, with the"
          + " results so far.",
      "Patterns that write destroy what the blocks hold, so they are done on blank blocks only, or"
          + " with --overwrite."
    },
    mixinStandardHelpOptions = true)
final class NvmeBench extends NvmeCommand.OnController {
  private static final int MOST_COMMANDS = 1023;
  private static final int MOST_JOBS = 256;
  private static final double MOST_IOPS = 1e9;

  /** Controllers that take less in a command are rare. */
  private static final long USUAL_TRANSFER = 128 << 10;

  @Option(names = "--namespace", paramLabel = "ID", description = "The namespace; 1 by default.")
  int namespaceId = 1;

  @Option(
      names = "--pattern",
      paramLabel = "PATTERN",
      description = "read, write, randread or randwrite; randread by default.",
      converter = BenchPattern.Converter.class)
  BenchPattern pattern = BenchPattern.RANDREAD;

  @Option(
      names = "--block-size",
      paramLabel = "SIZE",
      description =
          "Bytes of one I/O, such as 4k, or a range of random sizes, such as 512-1M; 4KiB by"
              + " default. More than the controller takes at once is split into several commands.",
      converter = SizeRange.Converter.class)
  SizeRange blockSize = new SizeRange(4096, 4096);

  @Option(
      names = "--depth",
      paramLabel = "N",
      description = "I/Os that each job keeps in flight; 1 by default.")
  int depth = 1;

  @Option(names = "--jobs", paramLabel = "N", description = "How many jobs; 1 by default.")
  int jobs = 1;

  @Option(
      names = "--time",
      paramLabel = "TIME",
      description = "How long, such as 30s or 5m; 10s by default if there is no --size.",
      converter = TimeSpan.class)
  @Nullable Duration time;

  @Option(
      names = "--size",
      paramLabel = "SIZE",
      description = "How much all jobs transfer together.",
      converter = ByteSize.class)
  @Nullable Long byteSize;

  @Option(
      names = "--warmup",
      paramLabel = "TIME",
      description =
          "How long I/Os do not count at first, while the JVM compiles; 1s by default, 0 with"
              + " --size.",
      converter = TimeSpan.class)
  @Nullable Duration warmup;

  @Option(
      names = "--range",
      paramLabel = "SIZE",
      description = "Use only the first SIZE of the namespace.",
      converter = ByteSize.class)
  @Nullable Long range;

  @Option(
      names = "--rate",
      paramLabel = "IOPS",
      description =
          "At most so many I/Os per second by all jobs, started at fixed times. Latency then counts"
              + " from the time at which an I/O should have started, even if it had to wait for"
              + " others: a stall is not hidden by omitting the I/Os that it delayed (coordinated"
              + " omission).")
  @Nullable Double rate;

  @Option(
      names = "--verify",
      description =
          "Write blocks that say their address, seed and generation, with a checksum, and read all"
              + " of them back afterwards; with a pattern that reads, check blocks that an earlier"
              + " run wrote so. Takes time of the jobs.")
  boolean verify;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description =
          "Start of the random order and content; told when none is given. With --verify of a"
              + " pattern that reads: the seed that the blocks were written with.")
  @Nullable Long seed;

  @Option(
      names = "--interrupts",
      description = "Wait for interrupts instead of polling, in as many jobs as there are vectors.")
  boolean interrupts;

  @Option(names = "--overwrite", description = "Destroy what the blocks hold.")
  boolean overwrite;

  @Option(
      names = "--reconnect",
      paramLabel = "TIME",
      description =
          "For a device behind a socket: when its server is lost, try for so long to reach it"
              + " again, and go on. I/Os that were in flight fail.",
      converter = TimeSpan.class)
  @Nullable Duration reconnect;

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      description =
          "Also draw latency by percentile, and IOPS over time, into this file: .svg or .png; - for"
              + " an SVG on standard output, with the result among the messages.")
  @Nullable Path plot;

  @Spec @Nullable CommandSpec spec;

  private final BenchClock clock = new BenchClock();

  @Override
  public void run() {
    checkOptions();
    // Around all else: what Ctrl-C ends is over when the device is closed, too.
    try (var _ = new Interruption(clock::interrupt)) {
      super.run();
    }
  }

  private void checkOptions() {
    require(depth >= 1 && depth <= MOST_COMMANDS, "--depth is 1 to " + MOST_COMMANDS);
    require(jobs >= 1 && jobs <= MOST_JOBS, "--jobs is 1 to " + MOST_JOBS);
    require(
        rate == null || (rate > 0 && rate <= MOST_IOPS), "--rate is more than 0, and 1e9 at most");
    require(time == null || time.isPositive(), "--time is more than 0");
    require(reconnect == null || reconnect.isPositive(), "--reconnect is more than 0");
    require(
        reconnect == null || name instanceof DeviceName.BehindSocket,
        "--reconnect is for a device behind a socket, unix:PATH");
    require(blockSize.largest() <= 1 << 30, "--block-size is 1 GiB at most");
    require(byteSize == null || byteSize > 0, "--size is more than 0");
    if (plot != null) {
      var wrong = Plot.refusal(plot);
      require(wrong.isEmpty(), wrong);
      require(
          !StandardOutput.isMeantBy(plot) || !main().output().isJson(),
          "--json and a picture exclude each other on standard output");
    }
  }

  private void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new ParameterException(Objects.requireNonNull(spec).commandLine(), otherwise);
    }
  }

  @Override
  NvmeOptions options() {
    long commands = depth * Math.ceilDiv(blockSize.largest(), USUAL_TRANSFER);
    return NvmeOptions.defaults()
        .withQueueEntries((int) Math.min(commands, MOST_COMMANDS) + 1)
        .withCompletionMode(interrupts ? NvmeCompletionMode.INTERRUPTS : NvmeCompletionMode.POLLED);
  }

  @Override
  VfioUserOptions connection() {
    var defaults = super.connection();
    return reconnect == null ? defaults : defaults.withReconnect(reconnect);
  }

  private BenchPlan plan() {
    boolean byTime = time != null || byteSize == null;
    return new BenchPlan(
        pattern,
        blockSize,
        depth,
        jobs,
        optional(range),
        byTime
            ? OptionalLong.of(time == null ? Duration.ofSeconds(10).toNanos() : time.toNanos())
            : OptionalLong.empty(),
        optional(byteSize),
        warmup != null ? warmup.toNanos() : byteSize == null ? 1_000_000_000 : 0,
        rate == null ? OptionalDouble.empty() : OptionalDouble.of(rate),
        verify,
        optional(seed),
        seed == null ? new SplittableRandom().nextLong() >>> 1 : seed,
        interrupts,
        reconnect != null);
  }

  private static OptionalLong optional(@Nullable Long value) {
    return value == null ? OptionalLong.empty() : OptionalLong.of(value);
  }

  @Override
  void run(Output output, String host, VfioDevice device, NvmeController controller) {
    var namespace = controller.namespace(namespaceId);
    var plan = plan();
    plan.check(namespace);
    if (pattern.writes() && !overwrite) {
      requireBlank(output, device, namespace, plan);
    }
    BenchResult result;
    try (var progress = new Progress(output)) {
      result = new BenchRun(plan, clock, progress).run(device.dmaSpace(), controller, namespace);
    }
    var report = new BenchReport(plan, result, namespace, host.startsWith(HostOpener.SIMULATED));
    if (output.isJson()) {
      var document = NvmeCommand.json(host, device, controller);
      document.putAll(report.json());
      output.json(document);
    } else {
      var text = plot != null && StandardOutput.isMeantBy(plot) ? output.amongMessages() : output;
      text.line(NvmeCommand.title(device, controller));
      report.print(text);
    }
    if (plot != null && report.whyNothing().isEmpty()) {
      var title = "%s on %s".formatted(device.name(), host);
      Plot.write(output, plot, new BenchPlot(title, controller.identify().model(), report).scene());
    }
    output.out().flush();
    report.requireSuccess();
  }

  private void requireBlank(
      Output output, VfioDevice device, NvmeNamespace namespace, BenchPlan plan) {
    long bytes = plan.blocksPerJob(namespace) * plan.jobs() * namespace.blockSize();
    var blocks = new RoundTrip(namespace, 0, bytes, 0);
    try (var progress = new Progress(output, "looking whether the blocks are blank", bytes)) {
      if (!blocks.isBlank(device.dmaSpace(), done -> progress.at(requireUninterrupted(done)))) {
        throw new CommandFailure(
            "the blocks of %s hold data, which --pattern %s would destroy; give --overwrite if they may be lost"
                .formatted(device.name(), pattern.id()));
      }
    }
  }

  private long requireUninterrupted(long done) {
    if (clock.isInterrupted()) {
      throw new CommandFailure("interrupted; nothing was written");
    }
    return done;
  }
}
