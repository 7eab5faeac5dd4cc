// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.NvmeFailure;
import io.jvfio.model.nvme.NvmeFault;
import io.jvfio.model.nvme.NvmeFaults;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.user.VfioUserServer;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands on {@code unix:PATH}. */
class SocketDeviceTest {
  @TempDir Path directory;

  private Path socket() {
    return directory.resolve("nvme.sock");
  }

  private String device() {
    return "unix:" + socket();
  }

  private VfioUserServer serve() {
    var namespace = NvmeNamespaceOptions.inFile(directory.resolve("image"), 8 << 20);
    return VfioUserServer.serve(NvmeModel.of(NvmeModelOptions.of("socket", namespace)), socket());
  }

  @Test
  void showsTheDevice() {
    try (var _ = serve()) {
      var run = CommandRun.of("show", device());
      assertThat(run.err()).isEmpty();
      assertThat(run.status()).isZero();
      assertThat(run.out())
          .contains(device())
          .contains("vfio-user: 0x0..0xffffffffffffffff in pages of 4 KiB")
          .doesNotContain("driver");
      var json = CommandRun.of("--json", "show", device()).json();
      assertThat(json.get("host").asText()).isEqualTo("local");
      assertThat(json.get("address").asText()).isEqualTo(device());
      assertThat(json.get("iommu").asText()).isEqualTo("vfio-user");
      assertThat(json.get("driver").isNull()).isTrue();
      assertThat(json.get("group").isNull()).isTrue();
      assertThat(json.get("reset").get("bus").isNull()).isTrue();
    }
  }

  /**
   * CSTS.CFS, as a target reports that has nobody to signal: once before, and once in the middle.
   */
  @ParameterizedTest
  @ValueSource(longs = {0, 20})
  void saysThatTheControllerHasFailedAndWhereToLook(long commands) {
    var faults =
        new NvmeFaults()
            .inject(NvmeFault.failure(NvmeFailure.FATAL).onIo().onOpcode(2).after(commands))
            .inject(NvmeFault.failure(NvmeFailure.FATAL).onIo().onOpcode(1).after(commands));
    var options =
        NvmeModelOptions.of("socket", NvmeNamespaceOptions.inMemory(8 << 20)).withFaults(faults);
    try (var _ = VfioUserServer.serve(NvmeModel.of(options), socket())) {
      var bench = CommandRun.of("nvme", "bench", device(), "--time", "10s", "--warmup", "0s");
      assertThat(bench.status()).isOne();
      assertThat(bench.out())
          .as(bench.err())
          .contains("Nothing was measured: the controller failed: ")
          .contains("CSTS.CFS")
          .doesNotContain("IOPS");
      assertThat(bench.err())
          .contains("nothing was measured: the controller failed", "CSTS.CFS", "server's log")
          .doesNotContain("dmesg");
    }
    try (var _ = VfioUserServer.serve(NvmeModel.of(options), socket())) {
      var json =
          CommandRun.of("--json", "nvme", "bench", device(), "--time", "10s", "--warmup", "0s")
              .json();
      assertThat(json.get("measured").asBoolean()).isFalse();
      assertThat(json.get("whyNothing").asText()).contains("CSTS.CFS");
      assertThat(json.get("iops").isNull()).isTrue();
      assertThat(json.get("bytesPerSecond").isNull()).isTrue();
      assertThat(json.get("samples")).isEmpty();
    }
    try (var _ = VfioUserServer.serve(NvmeModel.of(options), socket())) {
      var verify = CommandRun.of("nvme", "verify", device(), "--overwrite", "--size", "4M");
      assertThat(verify.status()).isOne();
      assertThat(verify.err()).contains("CSTS.CFS", "server's log").doesNotContain("dmesg");
    }
  }

  @Test
  void drawsItsDmaSpace() {
    try (var _ = serve()) {
      var run = CommandRun.of("iova", device(), "--map", "2MiB", "--explain", "0x1000+4K");
      assertThat(run.status()).isZero();
      assertThat(run.out())
          .contains("IOMMU vfio-user")
          .contains("live map, read+write: by --map 2MiB")
          .contains("It overlaps the mapping");
      var json = CommandRun.of("--json", "iova", device(), "--fits", "1GiB").json();
      assertThat(json.get("host").asText()).isEqualTo("local");
      assertThat(json.toString()).contains("vfio-user");
    }
  }

  @Test
  void readsAndWritesBlocks() throws IOException {
    try (var _ = serve()) {
      var in = Files.write(directory.resolve("in"), pattern());
      var out = directory.resolve("out");
      assertThat(CommandRun.of("nvme", "identify", device()).out()).contains("IOMMU vfio-user");
      var written =
          CommandRun.of("nvme", "write", device(), "--block", "8", "--input", in.toString());
      assertThat(written.err()).isEmpty();
      assertThat(written.status()).isZero();
      var read =
          CommandRun.of(
              "nvme",
              "read",
              device(),
              "--block",
              "8",
              "--blocks",
              "8",
              "--output",
              out.toString());
      assertThat(read.status()).isZero();
      assertThat(out).hasSameBinaryContentAs(in);
      assertThat(CommandRun.of("nvme", "smart", device()).status()).isZero();
      var bench = CommandRun.of("--json", "nvme", "bench", device(), "--size", "4MiB");
      assertThat(bench.err()).isEmpty();
      assertThat(bench.status()).isZero();
      assertThat(bench.json().get("iops").asDouble()).isPositive();
    }
  }

  private static byte[] pattern() {
    var bytes = new byte[4096];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (i * 7);
    }
    return bytes;
  }

  @Test
  void saysWhyThereIsNoDevice() {
    var run = CommandRun.of("show", device());
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err())
        .contains("There is no such socket.")
        .contains("jvfio serve nvme --socket");
  }

  @ParameterizedTest
  @CsvSource({
    "'show unix:', has no path",
    "'show disk', unix:PATH",
    "'--host sim:x86-6.12 show unix:/s', --host sim:x86-6.12 has no meaning for unix:/s",
    "'show unix:/s --iommu type1', choose among the IOMMUs of a host",
    "'iova unix:/s --forbid type1', choose among the IOMMUs of a host",
    "'--host sim:x86-6.12 show 0000:00:01.0 --iommu vfio-user', no IOMMU group has type vfio-user",
    "'nvme bench 0000:00:01.0 --reconnect 5s', --reconnect is for a device behind a socket",
    "'nvme bench unix:/s --reconnect 0s', --reconnect is more than 0"
  })
  void refusesWhatMakesNoSense(String arguments, String said) {
    var run = CommandRun.of(arguments.split(" "));
    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err()).contains(said);
  }

  /** The command in a JVM of its own, which can be killed. */
  private Process start(String... arguments) throws IOException {
    var command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--module-path",
                System.getProperty("jdk.module.path"),
                "--enable-native-access=io.jvfio.linux",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-m",
                "io.jvfio.cli/io.jvfio.cli.Main"));
    command.addAll(Arrays.asList(arguments));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(new File(directory.toFile(), "server.log"))
        .start();
  }

  private Process serveInItsOwnProcess() throws IOException {
    return start(
        "serve",
        "nvme",
        "--file",
        directory.resolve("image").toString(),
        "--size",
        "8MiB",
        "--socket",
        socket().toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"randread", "randwrite"})
  void goesOnWhenItsServerIsKilledAndStartedAgain(String pattern) throws Exception {
    var server = serveInItsOwnProcess();
    try {
      awaitServer();
      long begin = System.nanoTime();
      var bench =
          CompletableFuture.supplyAsync(
              () ->
                  CommandRun.of(
                      "--json",
                      "nvme",
                      "bench",
                      device(),
                      "--pattern",
                      pattern,
                      pattern.equals("randread") ? "--overwrite" : "--verify",
                      "--depth",
                      "8",
                      "--time",
                      "8s",
                      "--reconnect",
                      "100s"));
      Thread.sleep(3000);
      server.destroyForcibly().waitFor();
      server = serveInItsOwnProcess();
      var run = bench.get(200, TimeUnit.SECONDS);
      var json = run.json();
      assertThat(System.nanoTime() - begin)
          .as("it went on until its time was over")
          .isGreaterThan(TimeUnit.SECONDS.toNanos(8));
      assertThat(json.get("iops").asDouble()).isPositive();
      if (pattern.equals("randwrite")) {
        assertThat(json.get("verified").get("blocks").asLong()).isPositive();
        assertThat(json.get("verified").get("wrong").asLong()).isZero();
      }
      for (var error : json.get("errors")) {
        assertThat(error.toString()).contains("Aborted By Host");
      }
    } finally {
      server.destroyForcibly().waitFor();
    }
  }

  private void awaitServer() throws InterruptedException {
    long begin = System.nanoTime();
    while (CommandRun.of("nvme", "identify", device()).status() != 0) {
      assertThat(System.nanoTime() - begin).isLessThan(TimeUnit.SECONDS.toNanos(100));
      Thread.sleep(100);
    }
  }
}
