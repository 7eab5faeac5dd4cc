// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.cli.bench.BenchJob;
import io.jvfio.cli.bench.BenchPattern;
import io.jvfio.cli.bench.BenchPlan;
import io.jvfio.cli.bench.BenchPlot;
import io.jvfio.cli.bench.BenchReport;
import io.jvfio.cli.bench.BenchResult;
import io.jvfio.cli.bench.HeapUse;
import io.jvfio.cli.option.SizeRange;
import io.jvfio.cli.output.Scene;
import io.jvfio.nvme.NvmeController;
import io.jvfio.sim.SimulatedHosts;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.function.LongUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class BenchPlotTest {
  private static final String HOST = "x86-6.12";

  /** Results as they come, and as they hardly ever do. */
  static Stream<BenchResult> results() {
    var random = new SplittableRandom(1);
    return Stream.of(
        result(0, i -> i, 0),
        result(1, _ -> 70, 1),
        result(4, i -> 70_000 + i, 1),
        result(300, _ -> 1_000_000, 7),
        result(100_000, _ -> random.nextLong(800, 12_000), 30),
        result(1_000_000, i -> 1L << (i % 35), 300),
        result(3_000_000, i -> i % 1000 == 0 ? BenchJob.LONGEST : 999, 4000),
        result(10, _ -> BenchJob.LONGEST, 10));
  }

  private static BenchResult result(long ios, LongUnaryOperator latency, int samples) {
    var latencies = new Histogram(1, BenchJob.LONGEST, BenchJob.DIGITS);
    LongStream.range(0, ios).map(latency).forEach(latencies::recordValue);
    var random = new SplittableRandom(2);
    return new BenchResult(
        List.of(
            new BenchResult.Job(
                latencies,
                ios * 4096,
                1,
                1 + samples * 100_000_000L,
                Map.of(),
                HeapUse.UNKNOWN,
                new BenchResult.Verification(0, 0, null),
                true)),
        IntStream.range(0, samples)
            .mapToObj(
                i ->
                    new BenchResult.Sample(
                        i * 0.1 + 0.05, 0.1, random.nextLong(ios + 1), 4096 * ios))
            .toList(),
        Map.of(),
        false,
        Optional.empty());
  }

  private static Scene scene(BenchResult result) {
    try (var simulated = SimulatedHosts.open(HOST);
        var device =
            VfioHost.of("sim:" + HOST, simulated.kernel())
                .open(PciAddress.parse(CommandRun.controller(HOST)));
        var controller = NvmeController.open(device)) {
      var plan =
          new BenchPlan(
              BenchPattern.RANDWRITE,
              new SizeRange(512, 1 << 20),
              1023,
              256,
              OptionalLong.empty(),
              OptionalLong.empty(),
              OptionalLong.empty(),
              0,
              OptionalDouble.of(1234567),
              true,
              OptionalLong.empty(),
              1,
              true,
              false);
      var report = new BenchReport(plan, result, controller.namespace(1), true);
      return new BenchPlot("0000:00:01.0 on sim:powernv-6.12", "jvfio NVMe model", report).scene();
    }
  }

  /** Where a text is, with a font as wide as DejaVu Sans. */
  private record Box(String text, double left, double top, double right, double bottom) {
    static Box of(Scene.Words words) {
      double width = words.text().length() * words.size() * (words.bold() ? 0.66 : 0.6);
      double left =
          switch (words.anchor()) {
            case START -> words.x();
            case MIDDLE -> words.x() - width / 2;
            case END -> words.x() - width;
          };
      return new Box(
          words.text(),
          left,
          words.y() - 0.76 * words.size(),
          left + width,
          words.y() + 0.24 * words.size());
    }

    boolean overlaps(Box other) {
      return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
    }
  }

  @ParameterizedTest
  @MethodSource("results")
  void writesNoTextOverAnotherOrOutside(BenchResult result) {
    var scene = scene(result);
    var boxes =
        scene.shapes().stream()
            .filter(Scene.Words.class::isInstance)
            .map(words -> Box.of((Scene.Words) words))
            .toList();
    assertThat(boxes).hasSizeGreaterThan(5);
    for (int i = 0; i < boxes.size(); i++) {
      var box = boxes.get(i);
      assertThat(box.left).as("%s", box).isNotNegative();
      assertThat(box.right).as("%s", box).isLessThanOrEqualTo(scene.width());
      assertThat(box.bottom).as("%s", box).isLessThanOrEqualTo(scene.height());
      for (int j = 0; j < i; j++) {
        assertThat(box.overlaps(boxes.get(j))).as("%s over %s", box, boxes.get(j)).isFalse();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("results")
  void keepsCurvesInTheirFrames(BenchResult result) {
    var points =
        scene(result).shapes().stream()
            .filter(Scene.Path.class::isInstance)
            .flatMap(path -> ((Scene.Path) path).points().stream())
            .toList();
    assertThat(points)
        .allSatisfy(
            point -> {
              assertThat(point.x()).isBetween(92.0, 924.0);
              assertThat(point.y()).isBetween(131.9, 694.1);
            });
  }
}
