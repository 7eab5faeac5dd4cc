// SPDX-License-Identifier: Apache-2.0
package io.jvfio.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * {@code Bench [--long] [PATTERN]}: runs the benchmarks whose name contains a match of the pattern
 * and prints a table of their figures. Exit status 1 when one is over its bound.
 */
public final class Bench {
  /**
   * What a figure may be at most: its ratio to C, the bytes allocated per operation, and its
   * nanoseconds.
   */
  private record Bound(double ratio, double bytes, double nanos) {
    Bound(double ratio, double bytes) {
      this(ratio, bytes, Double.POSITIVE_INFINITY);
    }

    @Override
    public String toString() {
      return Double.isInfinite(nanos) ? "%.2f".formatted(ratio) : "%.0f ns".formatted(nanos);
    }
  }

  /** Of driver time for a command of NVMe. */
  private static final Bound COMMAND = new Bound(Double.POSITIVE_INFINITY, 0, 200);

  private static final Map<String, Bound> BOUNDS =
      Map.ofEntries(
          Map.entry("NvmeSubmission.read 1x512", COMMAND),
          Map.entry("NvmeSubmission.read 1x4096", COMMAND),
          Map.entry("NvmeSubmission.read 32x512", COMMAND),
          Map.entry("NvmeSubmission.read 32x4096", COMMAND),
          Map.entry("NvmeSubmission.read 32x131072", COMMAND),
          Map.entry("SystemCalls.ioctlStruct", new Bound(1.10, 0)),
          Map.entry("SystemCalls.ioctlNumber", new Bound(1.10, 0)),
          Map.entry("MappedAccess.read32", new Bound(1.05, 0)),
          Map.entry("MappedAccess.write32", new Bound(1.05, 0)),
          Map.entry("MappedAccess.readThenWrite32", new Bound(1.05, 0)),
          Map.entry("MappedAccess.dependentRead32", new Bound(1.05, 0)),
          Map.entry("IovaAllocation.replaceAny 1000", new Bound(1.00, 0)),
          Map.entry("IovaAllocation.replaceAny 1000000", new Bound(1.00, 0)),
          Map.entry("IovaAllocation.replaceRecent 1000", new Bound(1.00, 0)),
          Map.entry("IovaAllocation.replaceRecent 1000000", new Bound(1.00, 0)));

  /** How many times as long the first figure's Java may take as the second's. */
  private record Growth(String figure, String base, double bound) {}

  private static final List<Growth> GROWTHS =
      List.of(
          new Growth("IovaAllocation.replaceAny 1000000", "IovaAllocation.replaceAny 1000", 4.0),
          new Growth(
              "IovaAllocation.replaceRecent 1000000", "IovaAllocation.replaceRecent 1000", 4.0));

  /** Less than any object has: what is left was allocated once per batch or iteration. */
  private static final double NO_BYTES = 1;

  private Bench() {}

  /** One row of the table. */
  private record Figure(String name, double java, double c, double ratio, double bytes) {
    boolean isWithin(Bound bound) {
      return ratio <= bound.ratio() && bytes <= bound.bytes() + NO_BYTES && java <= bound.nanos();
    }
  }

  /** The program. */
  public static void main(String[] arguments) throws RunnerException {
    var patterns = new ArrayList<>(List.of(arguments));
    boolean thorough = patterns.remove("--long");
    var options =
        new OptionsBuilder()
            .include(patterns.isEmpty() ? "." : patterns.getFirst())
            .forks(thorough ? 7 : 2)
            .warmupIterations(5)
            .warmupTime(TimeValue.milliseconds(300))
            .measurementIterations(thorough ? 20 : 10)
            .measurementTime(TimeValue.milliseconds(300))
            .addProfiler(GCProfiler.class)
            .shouldFailOnError(true)
            .verbosity(VerboseMode.SILENT)
            .jvmArgsAppend(
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow", // of JMH
                "-XX:+UseSerialGC",
                "-XX:+UseSystemMemoryBarrier",
                "-D" + Peers.LIBRARY + "=" + System.getProperty(Peers.LIBRARY))
            .build();
    var figures =
        new Runner(options)
            .run().stream().map(Bench::figure).sorted(Comparator.comparing(Figure::name)).toList();
    System.exit(print(figures) ? 0 : 1);
  }

  private static boolean print(List<Figure> figures) {
    System.out.printf(
        "%-36s %10s %10s %7s %9s %7s%n", "figure", "Java ns", "C ns", "ratio", "bytes/op", "bound");
    boolean allWithin = true;
    for (var figure : figures) {
      var bound = BOUNDS.get(figure.name());
      if (bound == null) {
        throw new IllegalStateException(figure.name() + " has no bound");
      }
      boolean within = figure.isWithin(bound);
      allWithin &= within;
      System.out.printf(
          "%-36s %10.3f %10.3f %7.3f %9.3f %7s  %s%n",
          figure.name(),
          figure.java(),
          figure.c(),
          figure.ratio(),
          figure.bytes(),
          bound,
          within ? "ok" : "over");
    }
    for (var growth : GROWTHS) {
      var figure = find(figures, growth.figure());
      var base = find(figures, growth.base());
      if (figure.isPresent() && base.isPresent()) {
        double ratio = figure.get().java() / base.get().java();
        double inC = figure.get().c() / base.get().c();
        boolean within = ratio <= growth.bound();
        allWithin &= within;
        System.out.printf(
            "%s : %s = %.3f, in C %.3f, bound %.2f  %s%n",
            growth.figure(), growth.base(), ratio, inC, growth.bound(), within ? "ok" : "over");
      }
    }
    return allWithin;
  }

  private static Optional<Figure> find(List<Figure> figures, String name) {
    return figures.stream().filter(figure -> figure.name().equals(name)).findFirst();
  }

  /** The medians over all iterations of all forks. */
  private static Figure figure(RunResult result) {
    var java = new ArrayList<Double>();
    var c = new ArrayList<Double>();
    var ratios = new ArrayList<Double>();
    var bytes = new ArrayList<Double>();
    for (BenchmarkResult fork : result.getBenchmarkResults()) {
      for (IterationResult iteration : fork.getIterationResults()) {
        double operations = score(iteration, "operations");
        double invocations = iteration.getMetadata().getMeasuredOps();
        java.add(score(iteration, "java") / operations);
        c.add(score(iteration, "c") / operations);
        ratios.add(score(iteration, "java") / score(iteration, "c"));
        bytes.add(score(iteration, "gc.alloc.rate.norm") * invocations / operations);
      }
    }
    BenchmarkParams parameters = result.getParams();
    var path = parameters.getBenchmark().split("\\.", -1);
    var name = new StringBuilder(path[path.length - 2] + "." + path[path.length - 1]);
    for (var key : parameters.getParamsKeys()) {
      name.append(' ').append(parameters.getParam(key));
    }
    return new Figure(name.toString(), median(java), median(c), median(ratios), median(bytes));
  }

  private static double score(IterationResult iteration, String name) {
    var secondary = iteration.getSecondaryResults();
    var found = secondary.containsKey(name) ? secondary.get(name) : secondary.get("\u00b7" + name);
    if (found == null) {
      throw new IllegalStateException("JMH has no " + name + " among " + secondary.keySet());
    }
    return found.getScore();
  }

  private static double median(List<Double> values) {
    var sorted = values.stream().sorted().toList();
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }
}
