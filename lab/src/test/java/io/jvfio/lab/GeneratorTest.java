package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Generated sequences on simulated hosts, which are all there is without a real kernel. */
class GeneratorTest {
  /** All hosts whose devices are in groups of an IOMMU. */
  static final List<String> HOSTS =
      SimulatedHosts.names().stream().filter(name -> !name.equals("x86-noiommu")).toList();

  private static final int CALLS = 4000;

  @ParameterizedTest
  @FieldSource("HOSTS")
  void aSeedIsOneSequence(String host) {
    var one = new Generator(Ground.of(host));
    var other = new Generator(Ground.of(host));

    for (long seed = 1; seed <= 100; seed++) {
      assertThat(one.sequenceOf(seed)).isEqualTo(other.sequenceOf(seed));
      assertThat(one.sequenceOf(seed).steps()).hasSizeBetween(12, 50);
    }
    assertThat(one.sequenceOf(1).steps()).isNotEqualTo(one.sequenceOf(2).steps());
  }

  @ParameterizedTest
  @FieldSource("HOSTS")
  void twoHostsOfANameNeverDiffer(String name) throws Exception {
    for (long seed : new long[] {1, Generator.SPOILING_SEEDS}) {
      try (var one = SimulatedHosts.open(name);
          var other = SimulatedHosts.open(name)) {
        var out = new ByteArrayOutputStream();
        var campaign =
            new Campaign(
                new Runner(one.kernel(), Machine.discover(one.kernel())),
                new Runner(other.kernel(), Machine.discover(other.kernel())),
                Campaign.Alarms.NONE,
                Transcript.Progress.NONE,
                new PrintStream(out, true, StandardCharsets.UTF_8));
        var tally =
            campaign.run(
                new Campaign.Extent(seed, CALLS, Duration.ofMinutes(1)),
                new Generator(Ground.of(name))::sequenceOf);

        assertThat(out.toString(StandardCharsets.UTF_8)).isEmpty();
        assertThat(tally.calls()).isGreaterThanOrEqualTo(CALLS);
        assertThat(tally.differences()).isZero();
      }
    }
  }

  @ParameterizedTest
  @FieldSource("HOSTS")
  void nothingIsLeftBehind(String name) throws Exception {
    for (var options :
        List.of(HostOptions.defaults(), HostOptions.unprivileged().withGroupAccess())) {
      try (var host = SimulatedHosts.open(name, options)) {
        var runner = new Runner(host.kernel(), Machine.discover(host.kernel()));
        var generator = new Generator(Ground.of(name));
        var before = host.resources();
        for (long seed = 1; seed <= 150; seed++) {
          var answers = runner.run(generator.sequenceOf(seed), _ -> {});

          assertThat(answers)
              .as("seed %d", seed)
              .noneMatch(answer -> answer.result().equals("threw"));
          assertThat(host.resources()).as("seed %d", seed).isEqualTo(before);
        }
      }
    }
  }

  @ParameterizedTest
  @FieldSource("HOSTS")
  void mostCallsSucceed(String name) throws Exception {
    try (var host = SimulatedHosts.open(name)) {
      var runner = new Runner(host.kernel(), Machine.discover(host.kernel()));
      var generator = new Generator(Ground.of(name));
      var results = new TreeMap<String, Integer>();
      var commands = new HashMap<String, Integer>();
      int calls = 0;
      int good = 0;
      for (long seed = 1; seed <= 200; seed++) {
        var sequence = generator.sequenceOf(seed);
        var answers = runner.run(sequence, _ -> {});
        for (int i = 0; i < answers.size(); i++) {
          calls++;
          boolean failed = answers.get(i).result().startsWith("E");
          good += failed ? 0 : 1;
          results.merge(answers.get(i).result(), 1, Integer::sum);
          if (!failed) {
            commands.merge(kind(sequence.steps().get(i)), 1, Integer::sum);
          }
        }
      }
      System.out.println(name+" "+calls+" "+good+" "+results+"\n  "+commands);
      assertThat(100 * good / calls).isBetween(50, 80);
    }
  }

  private static String kind(Step step) {
    return switch (step) {
      case Step.Command command -> command.command().toString();
      case Step.Structured structured -> structured.command().toString();
      case Step.Named named -> named.command().toString();
      default -> step.getClass().getSimpleName();
    };
  }
}
