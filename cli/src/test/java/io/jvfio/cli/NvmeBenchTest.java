// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Percentage.withPercentage;

import com.fasterxml.jackson.databind.JsonNode;
import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.cli.bench.BenchClock;
import io.jvfio.cli.bench.BenchPattern;
import io.jvfio.cli.bench.BenchPlan;
import io.jvfio.cli.bench.BenchReport;
import io.jvfio.cli.bench.BenchRun;
import io.jvfio.cli.option.SizeRange;
import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Progress;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.nvme.NvmeController;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NvmeBenchTest {
  private static final String HOST = "x86-6.12";

  private static CommandRun bench(String host, String... options) {
    return CommandRun.of(arguments(host, options));
  }

  private static String[] arguments(String host, String... options) {
    var all = new ArrayList<>(List.of("--host", "sim:" + host, "nvme", "bench"));
    all.add(CommandRun.controller(host));
    all.addAll(Arrays.asList(options));
    return all.toArray(String[]::new);
  }

  @ParameterizedTest
  @CsvSource({
    "x86-6.12, read",
    "x86-6.12, randread",
    "x86-6.12, randwrite",
    "pseries-5.10, write",
    "pseries-6.12, randread"
  })
  void tellsWhatItMeasuredAsJson(String host, String pattern) {
    var run =
        bench(
            host,
            "--json",
            "--pattern",
            pattern,
            "--size",
            "1MiB",
            "--range",
            "4MiB",
            "--depth",
            "4",
            "--jobs",
            "2");
    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    var json = run.json();
    assertThat(json.get("options").get("pattern").asText()).isEqualTo(pattern);
    assertThat(json.get("options").get("depth").asInt()).isEqualTo(4);
    assertThat(json.get("ios").asLong()).isEqualTo(256);
    assertThat(json.get("bytes").asLong()).isEqualTo(1 << 20);
    double seconds = json.get("elapsedNanos").asLong() / 1e9;
    assertThat(json.get("iops").asDouble()).isCloseTo(256 / seconds, withPercentage(0.1));
    assertThat(json.get("bytesPerSecond").asDouble())
        .isCloseTo((1 << 20) / seconds, withPercentage(0.1));
    assertRising(json.get("latencyNanos"));
    assertThat(json.get("jobs")).hasSize(2);
    assertThat(json.get("jobs"))
        .allSatisfy(
            job -> {
              assertThat(job.get("ios").asLong()).isEqualTo(128);
              assertRising(job.get("latencyNanos"));
            });
    assertThat(json.get("errors")).isEmpty();
    assertThat(json.get("heapBytesPerIo").isNumber()).isTrue();
    long sampled = 0;
    for (var sample : json.get("samples")) {
      assertThat(sample.get("seconds").asDouble()).isPositive();
      sampled++;
    }
    assertThat(sampled).isPositive();
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "pseries-6.12"})
  void waitsForInterruptsWhereItIsToldTo(String host) {
    var run =
        bench(host, "--json", "--interrupts", "--jobs", "2", "--size", "256k", "--depth", "2");
    assertThat(run.err()).isEmpty();
    assertThat(run.json().get("ios").asLong()).isEqualTo(64);
    assertThat(run.json().get("jobs"))
        .allSatisfy(job -> assertThat(job.get("interrupts").asBoolean()).isTrue());
  }

  private static void assertRising(JsonNode latencies) {
    var values =
        List.of("min", "p50", "p90", "p99", "p99.9", "p99.99", "max").stream()
            .map(name -> latencies.get(name).asLong())
            .toList();
    assertThat(values).isSorted();
    assertThat(values.getFirst()).isPositive();
    assertThat(latencies.get("mean").asDouble())
        .isBetween((double) values.getFirst(), (double) values.getLast());
  }

  @Test
  void printsATableWithARowForEachJob() {
    var run = bench(HOST, "--time", "200ms", "--warmup", "50ms", "--jobs", "3", "--range", "4M");
    assertThat(run.status()).isZero();
    assertThat(run.out())
        .contains("randread, 4 KiB blocks, depth 1, 3 jobs, polled")
        .containsPattern("0\\.2\\d s after 0\\.05 s of warm-up")
        .contains("Heap allocated by the jobs");
    assertThat(run.out().lines().filter(line -> line.matches("(JOB|0|1|2|all)  .*"))).hasSize(5);
    assertThat(run.err()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"write", "randwrite"})
  void verifiesBlocksOfRandomSizesThatSeveralJobsWrote(String pattern) {
    var run =
        bench(
            HOST,
            "--json",
            "--pattern",
            pattern,
            "--block-size",
            "512-1M",
            "--depth",
            "16",
            "--jobs",
            "2",
            "--size",
            "24M",
            "--range",
            "16M",
            "--verify");
    assertThat(run.err()).isEmpty();
    var json = run.json();
    assertThat(json.get("bytes").asLong()).isEqualTo(24 << 20);
    assertThat(json.get("verified").get("wrong").asLong()).isZero();
    assertThat(json.get("verified").get("blocks").asLong()).isBetween(8L << 11, 16L << 11);
  }

  @Test
  void findsABlockThatCameBackDamaged() {
    var run =
        CommandRun.with(
            HostOptions.defaults()
                .withModels(_ -> new LyingModel(4 << 20, LyingModel.flipping(4711))),
            arguments(HOST, "--pattern", "write", "--size", "4M", "--verify", "--overwrite"));
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err())
        .isEqualTo(
            "jvfio: Verified 8,192 blocks: 1 are wrong; block 4,711: its checksum does not fit its content\n");
    assertThat(run.out()).contains("block 4,711");
  }

  @Test
  void destroysNothingUnlessToldTo() {
    try (var simulated = SimulatedHosts.open(HOST)) {
      var host = VfioHost.of("sim:" + HOST, simulated.kernel());
      HostOpener same = _ -> new OpenHost(host, LinuxKernel.instance(), List::of, () -> {});
      var random = "--pattern randwrite --size 1M --range 2M";
      assertThat(complaint(same, random)).isEmpty();
      assertThat(complaint(same, random))
          .contains("hold data", "--pattern randwrite would destroy", "--overwrite");
      assertThat(complaint(same, "--pattern write --size 2M --range 2M --overwrite")).isEmpty();
      var reading = "--pattern read --size 2M --range 2M --verify";
      assertThat(complaint(same, reading))
          .contains("4,096 are wrong; block 0: it holds nothing that nvme bench wrote");
      assertThat(
              complaint(same, "--pattern write --size 2M --range 2M --overwrite --verify --seed 9"))
          .isEmpty();
      assertThat(complaint(same, reading)).isEmpty();
      assertThat(complaint(same, reading + " --seed 9")).isEmpty();
      assertThat(complaint(same, reading + " --seed 8"))
          .contains("block 0: it was written with seed 9, not 8");
    }
  }

  /** What a run prints to standard error; its exit status has to agree. */
  private static String complaint(HostOpener opener, String options) {
    var out = new StringWriter();
    var err = new StringWriter();
    int status =
        Main.run(
            opener,
            new PrintWriter(out),
            new PrintWriter(err),
            arguments(HOST, options.split(" ", -1)));
    assertThat(status).as(err.toString()).isEqualTo(err.toString().isEmpty() ? 0 : 1);
    return err.toString();
  }

  @Test
  void countsCommandsThatFailedByStatus() {
    var run =
        CommandRun.with(
            HostOptions.defaults().withModels(_ -> new LyingModel(4 << 20, LyingModel.failing())),
            arguments(HOST, "--json", "--block-size", "512", "--size", "100k"));
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).contains("200 commands failed: Data Transfer Error");
    var json = run.json();
    assertThat(json.get("ios").asLong()).isZero();
    assertThat(json.get("latencyNanos").get("p99").isNull()).isTrue();
    assertThat(json.get("errors").get(0).get("name").asText()).isEqualTo("Data Transfer Error");
    assertThat(json.get("errors").get(0).get("count").asLong()).isEqualTo(200);
  }

  @Test
  void keepsToARate() {
    var run =
        bench(
            HOST,
            "--json",
            "--rate",
            "1000",
            "--jobs",
            "2",
            "--time",
            "500ms",
            "--warmup",
            "100ms");
    assertThat(run.err()).isEmpty();
    // A machine that is busy elsewhere makes up for it later, so there is no more than a little
    // beyond the rate, and less only if it never came to it.
    assertThat(run.json().get("ios").asLong()).isBetween(200L, 620L);
  }

  @Test
  void saysThatNothingWasMeasuredAndWhy() {
    var run = bench(HOST, "--rate", "0.01", "--warmup", "100ms", "--time", "1ms");
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).startsWith("jvfio: nothing was measured: at 0.01 IOPS there is an I/O");
    assertThat(run.out()).contains("Nothing was measured: ").doesNotContain("MB/s");

    var asJson = bench(HOST, "--json", "--rate", "0.01", "--warmup", "100ms", "--time", "1ms");
    assertThat(asJson.status()).isEqualTo(1);
    var json = asJson.json();
    assertThat(json.get("measured").asBoolean()).isFalse();
    assertThat(json.get("whyNothing").asText()).startsWith("at 0.01 IOPS");
    assertThat(json.get("ios").asLong()).isZero();
    assertThat(json.get("bytes").asLong()).isZero();
    assertThat(json.get("iops").isNull()).isTrue();
    assertThat(json.get("bytesPerSecond").isNull()).isTrue();
  }

  @Test
  void saysThatItWasInterruptedBeforeItMeasured() {
    try (var simulated = SimulatedHosts.open(HOST);
        var device =
            VfioHost.of("sim:" + HOST, simulated.kernel())
                .open(PciAddress.parse(CommandRun.controller(HOST)));
        var controller = NvmeController.open(device)) {
      var clock = new BenchClock();
      clock.interrupt();
      var plan =
          new BenchPlan(
              BenchPattern.RANDREAD,
              new SizeRange(4096, 4096),
              1,
              2,
              OptionalLong.of(1 << 20),
              OptionalLong.of(Duration.ofHours(1).toNanos()),
              OptionalLong.empty(),
              Duration.ofHours(1).toNanos(),
              OptionalDouble.empty(),
              false,
              OptionalLong.empty(),
              1,
              false,
              false);
      var output =
          new Output(
              new PrintWriter(new StringWriter()), new PrintWriter(new StringWriter()), false);
      var namespace = controller.namespace(1);
      var result =
          new BenchRun(plan, clock, new Progress(output))
              .run(device.dmaSpace(), controller, namespace);
      var report = new BenchReport(plan, result, namespace, true);
      assertThat(report.whyNothing())
          .contains("the run was interrupted before the measurement began");
      assertThatThrownBy(report::requireSuccess)
          .isInstanceOf(CommandFailure.class)
          .hasMessageContaining("nothing was measured");
    }
  }

  @Test
  void drawsToStandardOutputWhereItIsToldTo() {
    var run = bench(HOST, "--size", "64k", "--plot", "-");
    assertThat(run.status()).isZero();
    assertThat(run.out()).contains("<svg").doesNotContain("Heap allocated");
    assertThat(run.err()).contains("JOB", "MB/s");
    assertThat(Path.of("-")).doesNotExist();
    assertThat(bench(HOST, "--json", "--plot", "-").status()).isEqualTo(2);
  }

  @Test
  @Timeout(value = 60, unit = TimeUnit.SECONDS)
  void endsInOrderWhenItIsInterrupted() {
    try (var simulated = SimulatedHosts.open(HOST);
        var device =
            VfioHost.of("sim:" + HOST, simulated.kernel())
                .open(PciAddress.parse(CommandRun.controller(HOST)));
        var controller = NvmeController.open(device)) {
      var clock = new BenchClock();
      var plan =
          new BenchPlan(
              BenchPattern.RANDWRITE,
              new SizeRange(4096, 4096),
              8,
              2,
              OptionalLong.of(1 << 20),
              OptionalLong.of(Duration.ofHours(1).toNanos()),
              OptionalLong.empty(),
              0,
              OptionalDouble.empty(),
              true,
              OptionalLong.empty(),
              1,
              false,
              false);
      var output =
          new Output(
              new PrintWriter(new StringWriter()), new PrintWriter(new StringWriter()), false);
      var run = new BenchRun(plan, clock, new Progress(output));
      var user =
          Thread.ofPlatform()
              .start(
                  () -> {
                    while (clock.phase() != BenchClock.MEASURE) {
                      Thread.onSpinWait();
                    }
                    clock.interrupt();
                  });
      var result = run.run(device.dmaSpace(), controller, controller.namespace(1));
      user.join();
      assertThat(result.isInterrupted()).isTrue();
      assertThat(result.total().failed()).isZero();
      controller.openQueue().close();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void drawsPicturesThatCanBeRead(@TempDir Path directory) throws Exception {
    var svg = directory.resolve("plot.svg");
    var png = directory.resolve("plot.PNG");
    for (var file : List.of(svg, png)) {
      var run = bench(HOST, "--size", "2M", "--depth", "4", "--plot", file.toString());
      assertThat(run.err()).isEmpty();
      assertThat(run.status()).isZero();
    }
    var document =
        DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(Files.newInputStream(svg));
    assertThat(document.getDocumentElement().getTagName()).isEqualTo("svg");
    var image = ImageIO.read(png.toFile());
    assertThat(image.getWidth()).isEqualTo(1920);
    assertThat(image.getHeight()).isEqualTo(1520);
    int[] pixels =
        image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
    assertThat(Arrays.stream(pixels).filter(pixel -> pixel == 0xff0072b2).count())
        .as("pixels of the curves")
        .isGreaterThan(1000);
    assertThat(Arrays.stream(pixels).filter(pixel -> pixel == 0xffffffff).count())
        .isGreaterThan(pixels.length / 2);
  }

  @Test
  void refusesAFileThatItCannotWrite(@TempDir Path directory) throws IOException {
    var run = bench(HOST, "--size", "64k", "--plot", directory.resolve("no/plot.svg").toString());
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err())
        .contains("writing " + directory.resolve("no/plot.svg") + " failed: ", " does not exist");
    assertThat(run.out()).as("the result is not lost").contains("IOPS");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "2 | --pattern randrw | is no pattern",
        "2 | --time soon | is no time",
        "2 | --time 0 | --time is more than 0",
        "2 | --depth 0 | --depth is 1 to 1023",
        "2 | --jobs 0 | --jobs is 1 to 256",
        "2 | --rate -1 | --rate is more than 0",
        "2 | --size 0 | --size is more than 0",
        "2 | --block-size 1M-512 | is no range of sizes",
        "2 | --block-size 512-700 | is no range of sizes",
        "2 | --plot bench.gif | a picture is FILE.svg or FILE.png",
        "1 | --block-size 1000 | no multiple of the namespace's block size, 512",
        "1 | --range 1T | more than the namespace",
        "1 | --range 1M --jobs 4 --block-size 512k | do not give each of 4 jobs a part",
        "1 | --size 512 --jobs 2 | less than one block of each job",
        "1 | --depth 1000 --block-size 1M --size 1M | a queue of this controller takes 1023",
      })
  void tellsWhatIsWrong(int status, String options, String message) {
    var run = bench(HOST, options.split(" ", -1));
    assertThat(run.err()).startsWith("jvfio: ").contains(message).doesNotContain("\tat ");
    assertThat(run.status()).isEqualTo(status);
    assertThat(run.out()).isEmpty();
  }
}
