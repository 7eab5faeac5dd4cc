// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;

/**
 * {@code Conformance LANE [--unprivileged] [--only PREFIX] [--seed N] [--from N] [--calls N]
 * [--trace]}: runs the lane's sequences, and then generated ones, on this machine's kernel and on
 * the simulated host of the same name, and compares call by call.
 *
 * <p>{@code --only} runs the written sequences whose names begin so, and generates none; {@code
 * --seed} generates one sequence, runs nothing else, and prints its answers. {@code --from} is the
 * first seed and {@code --calls} how many generated calls to compare.
 *
 * <p>Standard output: each difference, the shortest sequence behind it when it was generated, a
 * table, and all of the kernel's answers to the written sequences as a recording. The kernel's log
 * gets a line for each sequence, with {@code --trace} for each call too. Exit status 0 without
 * differences or new warnings, 1 with, 2 for wrong usage. It must be the only user of the machine's
 * devices.
 */
public final class Conformance {
  private static final long FIRST_SEED = 1;
  private static final long FIRST_UNPRIVILEGED_SEED = 1_000_001;
  private static final int CALLS = 5200;
  private static final int UNPRIVILEGED_CALLS = 500;

  /** Of all calls, how many are in sequences that may spoil the machine for others; they end it. */
  private static final double SPOILING = 0.15;

  private static final Duration LIMIT = Duration.ofMinutes(8);

  private Conformance() {}

  /** The program. */
  public static void main(String[] arguments) throws ErrnoException {
    var options = Arrays.asList(arguments);
    if (options.isEmpty() || !Suite.LANES.contains(options.getFirst())) {
      usage();
    }
    var run =
        new Run(
            options.getFirst(),
            options.contains("--unprivileged"),
            text(options, "--only", ""),
            number(options, "--seed", 0),
            number(
                options,
                "--from",
                options.contains("--unprivileged") ? FIRST_UNPRIVILEGED_SEED : FIRST_SEED),
            (int)
                number(
                    options,
                    "--calls",
                    options.contains("--unprivileged") ? UNPRIVILEGED_CALLS : CALLS));
    boolean same;
    try (var log = KernelLog.open(options.contains("--trace"));
        var host = simulated(run.lane(), run.unprivileged());
        var out =
            new PrintStream(
                new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)),
                false,
                StandardCharsets.UTF_8)) {
      same = run.run(log, host, out);
    }
    System.exit(same ? 0 : 1);
  }

  private static void usage() {
    System.err.println(
        "usage: Conformance LANE [--unprivileged] [--only PREFIX] [--seed N] [--from N] [--calls N]"
            + " [--trace]");
    System.err.println("lanes: " + String.join(" ", Suite.LANES));
    System.exit(2);
  }

  private static String text(List<String> options, String name, String absent) {
    int at = options.indexOf(name);
    if (at == options.size() - 1) {
      usage();
    }
    return at < 0 ? absent : options.get(at + 1);
  }

  private static long number(List<String> options, String name, long absent) {
    var text = text(options, name, Long.toString(absent));
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      usage();
      return absent;
    }
  }

  /** What the program was asked for; a seed of 0 is none. */
  private record Run(
      String lane, boolean unprivileged, String only, long seed, long from, int calls) {

    boolean run(KernelLog log, SimulatedHost host, PrintStream out) throws ErrnoException {
      var kernel = LinuxKernel.instance();
      var onKernel = new Runner(kernel, Machine.discover(kernel));
      var onSimulator = new Runner(host.kernel(), Machine.discover(host.kernel()));
      var campaign = new Campaign(onKernel, onSimulator, log, log, out);
      var generator = new Generator(Ground.of(lane));
      if (seed != 0) {
        campaign.show(generator.sequenceOf(seed));
        return true;
      }

      var sequences =
          Suite.of(lane, unprivileged).stream().filter(s -> s.name().startsWith(only)).toList();
      var answers = Transcript.of(sequences, onKernel, log);
      var differences =
          Transcript.differences(
              answers, Transcript.of(sequences, onSimulator, Transcript.Progress.NONE));
      differences.forEach(
          difference -> out.println("DIFFERENCE " + difference.describe("kernel   ", "simulator")));
      out.printf("%-12s %s%s\n", "lane", lane, unprivileged ? ", unprivileged" : "");
      out.printf("%-12s %d\n", "sequences", sequences.size());
      out.printf("%-12s %d\n", "calls", answers.rows().size());
      out.printf("%-12s %d\n", "differences", differences.size());
      out.flush();
      boolean same = differences.isEmpty();
      if (only.isEmpty()) {
        same &= generate(campaign, generator, onKernel, onSimulator, out);
      }
      out.println(Transcript.BEGIN);
      answers.write(out);
      out.println(Transcript.END);
      return same;
    }

    private boolean generate(
        Campaign campaign,
        Generator generator,
        Runner onKernel,
        Runner onSimulator,
        PrintStream out)
        throws ErrnoException {
      // The answers depend on what happened to the machine before, of which the simulator knows
      // only this process's part.
      for (var sequence : Suite.beforeGenerated(lane)) {
        onKernel.run(sequence, _ -> {});
        onSimulator.run(sequence, _ -> {});
      }
      long started = System.nanoTime();
      // Without privileges there is hardly any memory to lock, and none to waste.
      int last = unprivileged ? 0 : (int) (calls * SPOILING);
      var tally =
          campaign.run(new Campaign.Extent(from, calls - last, LIMIT), generator::sequenceOf);
      if (last > 0) {
        tally =
            tally.plus(
                campaign.run(
                    new Campaign.Extent(Generator.SPOILING_SEEDS, last, LIMIT),
                    generator::sequenceOf));
      }
      tally.print(out);
      out.printf("%-12s %.0f\n", "per second", tally.calls() * 1e9 / (System.nanoTime() - started));
      return tally.differences() == 0 && tally.alarms() == 0;
    }
  }

  /** A host as the lane's process finds it. */
  static SimulatedHost simulated(String lane, boolean unprivileged) {
    return SimulatedHosts.open(
        lane, unprivileged ? HostOptions.unprivileged().withGroupAccess() : HostOptions.defaults());
  }

  /** The answers of the simulated host of that name. */
  static Transcript simulate(String lane, boolean unprivileged, List<Sequence> sequences)
      throws ErrnoException {
    try (var host = simulated(lane, unprivileged)) {
      var runner = new Runner(host.kernel(), Machine.discover(host.kernel()));
      return Transcript.of(sequences, runner, Transcript.Progress.NONE);
    }
  }
}
