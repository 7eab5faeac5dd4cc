package io.jvfio.lab;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * {@code Conformance LANE [--unprivileged] [--only PREFIX] [--trace]}: runs the lane's sequences on
 * this machine's kernel and on the simulated host of the same name, and compares call by call.
 *
 * <p>Standard output: each difference, a table, and all of the kernel's answers as a recording. The
 * kernel's log gets a line for each sequence, with {@code --trace} for each call too. Exit status 0
 * without differences, 1 with, 2 for wrong usage. It must be the only user of the machine's
 * devices.
 */
public final class Conformance {
  private Conformance() {}

  /** The program. */
  public static void main(String[] arguments) throws ErrnoException {
    var options = Arrays.asList(arguments);
    int only = options.indexOf("--only");
    if (options.isEmpty()
        || !Suite.LANES.contains(options.getFirst())
        || only == options.size() - 1) {
      System.err.println("usage: Conformance LANE [--unprivileged] [--only PREFIX] [--trace]");
      System.err.println("lanes: " + String.join(" ", Suite.LANES));
      System.exit(2);
    }
    boolean unprivileged = options.contains("--unprivileged");
    var lane = options.getFirst();
    var sequences = Suite.of(lane, unprivileged);
    if (only > 0) {
      var prefix = options.get(only + 1);
      sequences = sequences.stream().filter(s -> s.name().startsWith(prefix)).toList();
    }
    boolean same;
    try (var log = KernelLog.open(options.contains("--trace"))) {
      same = run(lane, unprivileged, sequences, log);
    }
    System.exit(same ? 0 : 1);
  }

  private static boolean run(
      String lane, boolean unprivileged, List<Sequence> sequences, KernelLog log)
      throws ErrnoException {
    var kernel = Transcript.of(sequences, LinuxKernel.instance(), log);
    var simulator = simulate(lane, unprivileged, sequences);
    var differences = Transcript.differences(kernel, simulator);

    try (var out =
        new PrintStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)),
            false,
            StandardCharsets.UTF_8)) {
      differences.forEach(
          difference -> out.println("DIFFERENCE " + difference.describe("kernel   ", "simulator")));
      out.printf("%-12s %s%s\n", "lane", lane, unprivileged ? ", unprivileged" : "");
      out.printf("%-12s %d\n", "sequences", sequences.size());
      out.printf("%-12s %d\n", "calls", kernel.rows().size());
      out.printf("%-12s %d\n", "differences", differences.size());
      out.println(Transcript.BEGIN);
      kernel.write(out);
      out.println(Transcript.END);
    }
    return differences.isEmpty();
  }

  /** The answers of the simulated host of that name. */
  static Transcript simulate(String lane, boolean unprivileged, List<Sequence> sequences)
      throws ErrnoException {
    var options =
        unprivileged ? HostOptions.unprivileged().withGroupAccess() : HostOptions.defaults();
    try (var host = SimulatedHosts.open(lane, options)) {
      return Transcript.of(sequences, host.kernel(), Transcript.Progress.NONE);
    }
  }
}
