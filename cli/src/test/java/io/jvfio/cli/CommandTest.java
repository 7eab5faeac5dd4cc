// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.LinuxKernel;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CommandTest {

  @Test
  void demoDoesTheMainJob() {
    var run = CommandRun.of("demo");
    assertThat(run.status()).isZero();
    assertThat(run.out().replaceAll("\\s+", " "))
        .contains("sim:pseries-5.10")
        .contains("spapr-tce-v2 yes accepted refused VFIO_SET_IOMMU EPERM")
        .contains("chosen: spapr-tce")
        .contains("serial jvfio0")
        .contains("64 MiB")
        .contains("verified");
    assertThat(run.err()).isEmpty();
  }

  @Test
  void demoTellsTheSameAsJson() {
    var json = CommandRun.of("demo", "--json").json();
    assertThat(json.get("groups").get(0).get("chosen").asText()).isEqualTo("spapr-tce");
    assertThat(json.get("bytesVerified").asLong()).isEqualTo(64 << 20);
  }

  static Stream<String> hosts() {
    return SimulatedHosts.names().stream();
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void listsAtLeastTwoControllersInGroupsOfTheirOwn(String host) {
    var run = CommandRun.of("list", "--json", "--host", "sim:" + host);
    assertThat(run.status()).isZero();
    var controllers =
        StreamSupport.stream(run.json().get("devices").spliterator(), false)
            .filter(device -> device.get("class").asText().equals("0x010802"))
            .toList();
    assertThat(controllers).hasSizeGreaterThanOrEqualTo(2);
    assertThat(controllers)
        .allSatisfy(
            device -> {
              assertThat(device.get("vendor").asText()).isEqualTo("0x1b36");
              assertThat(device.get("device").asText()).isEqualTo("0x0010");
              assertThat(device.get("driver").asText()).isEqualTo("vfio-pci");
              assertThat(device.get("viable").asBoolean()).isTrue();
              assertThat(device.get("blockedBy")).isEmpty();
            });
    assertThat(controllers)
        .extracting(device -> device.get("group").asInt())
        .doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void showsADeviceWhereverItCanBeOpened(String host) {
    var device = CommandRun.controller(host);
    var run = CommandRun.of("--host", "sim:" + host, "--json", "show", device);
    if (host.equals("x86-noiommu") || host.equals("pseries-6.12-noddw")) {
      assertThat(run.status()).isEqualTo(1);
      assertThat(run.out()).isEmpty();
      return;
    }
    assertThat(run.err()).isEmpty();
    var json = run.json();
    assertThat(json.get("vendor").asText()).isEqualTo("0x1b36");
    assertThat(json.get("regions").get(0).get("size").asLong()).isEqualTo(16 << 10);
    assertThat(json.get("interrupts").get(2).get("count").asInt()).isEqualTo(65);
    assertThat(json.get("capabilities"))
        .extracting(one -> one.get("name").asText())
        .contains("MSI-X", "PCI Express");
    assertThat(CommandRun.of("--host", "sim:" + host, "show", device).out())
        .contains("BAR0", "MSI-X", "16 KiB");
  }

  @Test
  void namesEverySimulatedHost() {
    var run = CommandRun.of("hosts");
    assertThat(run.out())
        .contains(
            SimulatedHosts.names().stream().map(name -> "sim:" + name).toArray(String[]::new));
    assertThat(CommandRun.of("hosts", "--json").json().get("hosts"))
        .hasSize(SimulatedHosts.names().size());
  }

  @Test
  void writesAFileToBlocksAndReadsItBack(@TempDir Path directory) throws IOException {
    // One process, one host: the blocks live as long as it does, so one command must see what
    // another wrote.
    var data = new byte[(3 << 20) + 700];
    new SplittableRandom(3).nextBytes(data);
    var input = Files.write(directory.resolve("in"), data);
    var output = directory.resolve("out");
    try (var simulated = SimulatedHosts.open("pseries-6.12")) {
      var host = io.jvfio.VfioHost.of("sim:pseries-6.12", simulated.kernel());
      HostOpener same = _ -> new OpenHost(host, LinuxKernel.instance(), List::of, () -> {});
      var device = CommandRun.controller("pseries-6.12");
      assertThat(run(same, "nvme", "write", device, "--block", "17", "--input", input.toString()))
          .isZero();
      assertThat(
              run(
                  same,
                  "nvme",
                  "read",
                  device,
                  "--block",
                  "17",
                  "--blocks",
                  "6146",
                  "--output",
                  output.toString()))
          .isZero();
      assertThat(run(same, "nvme", "verify", device, "--size", "1MiB"))
          .as("the blocks hold data")
          .isEqualTo(1);
      assertThat(run(same, "nvme", "verify", device, "--size", "1MiB", "--overwrite")).isZero();
    }
    assertThat(Files.readAllBytes(output)).isEqualTo(Arrays.copyOf(data, 6146 * 512));
  }

  private static int run(HostOpener opener, String... args) {
    var sink = new java.io.PrintWriter(java.io.Writer.nullWriter());
    return Main.run(opener, sink, sink, args);
  }

  @Test
  void verifiesThroughEveryUsableIommuType() {
    for (var type : new String[] {"spapr-tce", "spapr-tce-v2"}) {
      var run =
          CommandRun.of(
              "--host",
              "sim:pseries-6.12",
              "--json",
              "nvme",
              "verify",
              "--size",
              "4MiB",
              "--iommu",
              type,
              CommandRun.controller("pseries-6.12"));
      assertThat(run.err()).isEmpty();
      assertThat(run.json().get("iommu").asText()).isEqualTo(type);
      assertThat(run.json().get("bytesVerified").asLong()).isEqualTo(4 << 20);
    }
  }

  @Test
  void identifiesAController() {
    var run =
        CommandRun.of(
            "--host",
            "sim:x86-6.12",
            "--json",
            "nvme",
            "identify",
            CommandRun.controller("x86-6.12"));
    assertThat(run.json().get("controller").get("serial").asText()).isEqualTo("jvfio0");
    assertThat(run.json().get("namespace").get("bytes").asLong()).isEqualTo(256 << 20);
  }

  @Test
  void showsWhatADeviceDidToMemoryThatIsNotMappedForIt() {
    var options = HostOptions.defaults().withModels(_ -> new StrayModel());
    var run =
        CommandRun.with(
            options,
            "--host",
            "sim:x86-6.12",
            "nvme",
            "identify",
            CommandRun.controller("x86-6.12"));
    assertThat(run.status()).isZero();
    assertThat(run.err())
        .contains(
            "jvfio: IOMMU fault: device "
                + CommandRun.controller("x86-6.12")
                + " wrote to IOVA 0x7fff0000: ");
  }

  @Test
  void tellsWrongUsageInOneLineAndWithStatus2() {
    assertWrong(2, "a command is missing");
    assertWrong(2, "sim:vax", "--host", "sim:vax", "list");
    assertWrong(2, "'local', 'sim:NAME' or 'file:FILE'", "--host", "elsewhere", "list");
    assertWrong(
        2, "unknown IOMMU type 'type3'", "--host", "sim:x86-6.12", "probe", "--iommu", "type3");
    assertWrong(
        2,
        "leaves no IOMMU type",
        "--host",
        "sim:x86-6.12",
        "probe",
        "--forbid",
        "iommufd,type1,type1v2,spapr-tce,spapr-tce-v2");
    assertWrong(2, "not a PCI address", "--host", "sim:x86-6.12", "show", "nvme0");
    assertWrong(
        2,
        "is no size",
        "--host",
        "sim:x86-6.12",
        "nvme",
        "verify",
        "--size",
        "lots",
        "0000:00:03.0");
    assertWrong(2, "--prefer has no meaning", "probe", "--iommu", "type1", "--prefer", "type1v2");
  }

  @Test
  void tellsFailuresInOneMessageAndWithStatus1() {
    assertWrong(1, "There is no such PCI device", "--host", "sim:x86-6.12", "show", "0000:77:00.0");
    assertWrong(1, "There is no such IOMMU group", "--host", "sim:x86-6.12", "probe", "4711");
    assertWrong(1, "belongs to the host driver", "--host", "sim:x86-6.12", "show", "0000:00:1f.2");
    assertWrong(
        1,
        "do not fit the namespace",
        "--host",
        "sim:x86-6.12",
        "nvme",
        "verify",
        "--size",
        "1TiB",
        CommandRun.controller("x86-6.12"));
  }

  @Test
  void tellsWhenThereIsNoVfio() {
    assertWrong(
        HostOptions.defaults().withoutVfio(),
        1,
        "vfio-pci",
        "--host",
        "sim:x86-6.12",
        "show",
        CommandRun.controller("x86-6.12"));
  }

  @Test
  void tellsWhenTheUserMayNotOpenTheNode() {
    assertWrong(
        HostOptions.unprivileged(),
        1,
        "EACCES (Permission denied). This user may not open the group.",
        "--host",
        "sim:x86-6.12",
        "show",
        CommandRun.controller("x86-6.12"));
  }

  private static void assertWrong(int status, String message, String... args) {
    assertWrong(CommandRun.of(args), status, message);
  }

  private static void assertWrong(HostOptions options, int status, String message, String... args) {
    assertWrong(CommandRun.with(options, args), status, message);
  }

  private static void assertWrong(CommandRun run, int status, String message) {
    assertThat(run.status()).as(run.err()).isEqualTo(status);
    assertThat(run.err()).startsWith("jvfio: ").contains(message).doesNotContain("\tat ");
    assertThat(run.out()).isEmpty();
  }
}
