// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.ErrnoException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;

/**
 * Runs generated sequences on a kernel and on the simulated host that shall be its equal, side by
 * side, and compares each call. A sequence whose answers differ, or that makes the kernel warn, is
 * printed as the shortest that still does.
 */
final class Campaign {
  private static final int TRIALS = 300;

  /** Enough to see what is wrong; each takes hundreds of runs to shorten. */
  private static final int MOST_SHRUNK = 12;

  /** What a kernel says besides its answers. */
  interface Alarms {
    /** None ever. */
    Alarms NONE = List::of;

    /** Warnings, bugs and oopses since the last time. */
    List<String> take();
  }

  /**
   * How much to run.
   *
   * @param firstSeed the seed of the first sequence; the others follow
   * @param calls no sequence begins after so many calls were compared
   * @param limit nor after so much time
   */
  record Extent(long firstSeed, int calls, Duration limit) {}

  /**
   * What came of it.
   *
   * @param seeds the first and the last, of each run
   */
  record Tally(String seeds, int sequences, int calls, int differences, int alarms) {

    /** Together with what came of another run. */
    Tally plus(Tally other) {
      return new Tally(
          seeds + ", " + other.seeds,
          sequences + other.sequences,
          calls + other.calls,
          differences + other.differences,
          alarms + other.alarms);
    }

    /** Lines of a table. */
    void print(PrintStream out) {
      out.printf("%-12s %s\n", "seeds", seeds);
      out.printf("%-12s %d\n", "generated", sequences);
      out.printf("%-12s %d\n", "compared", calls);
      out.printf("%-12s %d\n", "different", differences);
      out.printf("%-12s %d\n", "alarms", alarms);
    }
  }

  private final Runner kernel;
  private final Runner simulator;
  private final Alarms alarms;
  private final Transcript.Progress progress;
  private final PrintStream out;
  private int shrunk;

  Campaign(
      Runner kernel,
      Runner simulator,
      Alarms alarms,
      Transcript.Progress progress,
      PrintStream out) {
    this.kernel = kernel;
    this.simulator = simulator;
    this.alarms = alarms;
    this.progress = progress;
    this.out = out;
  }

  /** Both answers to each call of one sequence. */
  private record Comparison(Sequence sequence, List<Answer> kernel, List<Answer> simulator) {
    /** The first call that was answered differently; -1 if none was. */
    int firstDifference() {
      for (int i = 0; i < kernel.size(); i++) {
        if (!kernel.get(i).equals(simulator.get(i))) {
          return i;
        }
      }
      return -1;
    }

    boolean differs() {
      return firstDifference() >= 0;
    }

    void print(PrintStream out) {
      for (int i = 0; i < kernel.size(); i++) {
        var step = sequence.steps().get(i);
        if (kernel.get(i).equals(simulator.get(i))) {
          out.printf("  %d  %s  ->  %s\n", i + 1, step, kernel.get(i));
        } else {
          out.printf(
              "  %d  %s\n       kernel:    %s\n       simulator: %s\n",
              i + 1, step, kernel.get(i), simulator.get(i));
        }
      }
    }
  }

  /** Runs sequences until there is enough. */
  Tally run(Extent extent, LongFunction<Sequence> generator) throws ErrnoException {
    long end = System.nanoTime() + extent.limit().toNanos();
    long seed = extent.firstSeed();
    int calls = 0;
    int differences = 0;
    int alarmCount = 0;
    alarms.take();
    while (calls < extent.calls() && System.nanoTime() < end) {
      var sequence = generator.apply(seed);
      var comparison = compare(sequence);
      calls += comparison.kernel().size();
      var warnings = alarms.take();
      if (comparison.differs()) {
        differences++;
        report(comparison);
      }
      if (!warnings.isEmpty()) {
        alarmCount++;
        report(comparison, warnings);
      }
      seed++;
    }
    return new Tally(
        extent.firstSeed() + ".." + (seed - 1),
        (int) (seed - extent.firstSeed()),
        calls,
        differences,
        alarmCount);
  }

  /** Runs one sequence and prints all answers. */
  void show(Sequence sequence) throws ErrnoException {
    compare(sequence).print(out);
  }

  /**
   * Asks both, the simulator first: what would do harm to a kernel ends the sequence before the
   * kernel is asked.
   */
  private Comparison compare(Sequence sequence) throws ErrnoException {
    progress.begin(sequence);
    var fromKernel = new ArrayList<Answer>();
    var fromSimulator = new ArrayList<Answer>();
    try (var real = kernel.open();
        var simulated = simulator.open()) {
      for (var step : sequence.steps()) {
        progress.begin(step);
        var answer = simulated.execute(step);
        if (answer.result().equals(Runner.HARMFUL)) {
          break;
        }
        fromSimulator.add(answer);
        fromKernel.add(real.execute(step));
      }
    }
    return new Comparison(sequence, fromKernel, fromSimulator);
  }

  private void report(Comparison comparison) throws ErrnoException {
    var steps = comparison.sequence().steps();
    var shortest =
        shrink(comparison.sequence(), steps.subList(0, comparison.firstDifference() + 1), false);
    out.printf(
        "DIFFERENCE %s, step %d of %d",
        comparison.sequence().name(), comparison.firstDifference() + 1, steps.size());
    var again = compare(shortest);
    if (again.differs()) {
      out.printf(", shortened to %d steps\n", shortest.steps().size());
      again.print(out);
    } else {
      out.print(", not again when repeated\n");
      comparison.print(out);
    }
    out.flush();
  }

  private void report(Comparison comparison, List<String> warnings) throws ErrnoException {
    warnings.forEach(warning -> out.printf("ALARM %s\n", warning));
    var shortest = shrink(comparison.sequence(), comparison.sequence().steps(), true);
    out.printf(
        "  by %s of %d steps, shortened to %d\n",
        comparison.sequence().name(),
        comparison.sequence().steps().size(),
        shortest.steps().size());
    compare(shortest).print(out);
    alarms.take();
    out.flush();
  }

  /** The shortest sequence that has the same kind of consequence. */
  private Sequence shrink(Sequence sequence, List<Step> steps, boolean alarming)
      throws ErrnoException {
    if (++shrunk > MOST_SHRUNK) {
      return new Sequence(sequence.name(), steps);
    }
    var failures = new ArrayList<ErrnoException>();
    var shortest =
        Shrinker.shrink(
            steps,
            some -> {
              try {
                var comparison = compare(new Sequence(sequence.name(), some));
                var warnings = alarms.take();
                return alarming ? !warnings.isEmpty() : comparison.differs();
              } catch (ErrnoException e) {
                failures.add(e);
                return false;
              }
            },
            TRIALS);
    if (!failures.isEmpty()) {
      throw failures.getFirst();
    }
    return new Sequence(sequence.name(), shortest);
  }
}
