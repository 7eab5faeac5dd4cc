// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.IommuPolicy;
import io.jvfio.VfioHost;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.RecordedHost;
import io.jvfio.sim.SimulatedHosts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A recording stands for its host: commands cannot tell them apart. */
class RecordHostTest {
  @TempDir Path folder;

  static List<String> hosts() {
    return SimulatedHosts.names();
  }

  private static RecordedHost record(String name) {
    return record(name, HostOptions.defaults());
  }

  private static RecordedHost record(String name, HostOptions options) {
    try (var host = SimulatedHosts.open(name, options)) {
      var before = host.resources();
      var recorded = RecordedHost.record(host.kernel(), name);
      assertThat(host.resources()).isEqualTo(before);
      return recorded;
    }
  }

  private static CommandRun onRecording(RecordedHost recorded, String name, String... command) {
    return CommandRun.on(
        OpenHost.of(HostOpener.SIMULATED + name, recorded.open()), onHost(name, command));
  }

  private static String[] onHost(String name, String... command) {
    return Stream.concat(
            Stream.of("--host", HostOpener.SIMULATED + name, "--json"), Stream.of(command))
        .toArray(String[]::new);
  }

  /** Every command that looks at a host, at each of its devices and with each type. */
  private static List<String[]> commands(String name) {
    var commands = new ArrayList<String[]>();
    commands.add(new String[] {"list"});
    commands.add(new String[] {"probe"});
    for (var type :
        List.of("type1", "type1v2", "type1-nesting", "spapr-tce", "noiommu", "iommufd")) {
      commands.add(new String[] {"probe", "--iommu", type});
    }
    var devices = CommandRun.of(onHost(name, "list")).json().get("devices");
    StreamSupport.stream(devices.spliterator(), false)
        .map(device -> device.get("address").asText())
        .forEach(
            address -> {
              commands.add(new String[] {"show", address});
              commands.add(new String[] {"show", address, "--iommu", "noiommu"});
              commands.add(new String[] {"iova", address});
            });
    return commands;
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void commandsPrintTheSameOnARecordingAsOnItsHost(String name) {
    var recorded = record(name);
    for (var command : commands(name)) {
      assertThat(onRecording(recorded, name, command))
          .as(String.join(" ", command))
          .usingRecursiveComparison()
          .isEqualTo(CommandRun.of(onHost(name, command)));
    }
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void anUnprivilegedUsersRecordingSaysWhatTheUserIsTold(String name) {
    var options = HostOptions.unprivileged();
    var recorded = record(name, options);
    for (var command : List.of("list", "probe")) {
      assertThat(onRecording(recorded, name, command))
          .as(command)
          .usingRecursiveComparison()
          .isEqualTo(CommandRun.with(options, onHost(name, command)));
    }
    assertThat(recorded.notSeen()).anyMatch(sentence -> sentence.contains("configuration space"));
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void whatIsReadIsWrittenInTheSameBytes(String name) {
    var text = record(name).text();
    assertThat(RecordedHost.parse("a", text).text()).isEqualTo(text);
    try (var host = RecordedHost.parse("a", text).open()) {
      assertThat(RecordedHost.record(host.kernel(), name).text()).isEqualTo(text);
    }
  }

  @Test
  void theCommandWritesAFileThatHostOpens() {
    var file = folder.resolve("host.json").toString();
    var run = CommandRun.of("--host", "sim:pseries-5.10", "record-host", file);
    assertThat(run.status()).as(run.err()).isZero();
    var list = CommandRun.of("--host", "file:" + file, "--json", "list");
    assertThat(list.status()).as(list.err()).isZero();
    assertThat(list.json().get("host").asText()).isEqualTo("file:" + file);
    assertThat(CommandRun.of("--host", "file:" + file, "--json", "probe").json().get("common"))
        .isEqualTo(
            CommandRun.of("--host", "sim:pseries-5.10", "--json", "probe").json().get("common"));

    var again = CommandRun.of("--host", "sim:pseries-5.10", "record-host", file);
    assertThat(again.status()).isOne();
    assertThat(again.err()).contains("is there already");
  }

  @Test
  void thisMachineIsRecordedWithWhatEverybodyMaySee() {
    var run = CommandRun.of("record-host", "-");
    assertThat(run.status()).as(run.err()).isZero();
    assertThat(RecordedHost.parse("-", run.out()).text()).isEqualTo(run.out());
  }

  @Test
  void aDriverWorksOnARecordedController() throws IOException {
    var file = folder.resolve("host.json");
    Files.writeString(file, record("x86-6.12").text());
    var run = CommandRun.of("--host", "file:" + file, "nvme", "identify", "0000:00:01.0");
    assertThat(run.status()).as(run.err()).isZero();
  }

  /** An edited answer is answered: SET_IOMMU fails as the file says. */
  @Test
  void anAnswerInTheFileIsTheKernels() {
    var text = record("x86-6.12").text();
    int attempt = text.indexOf("\"type\" : \"type1v2\"");
    int end = text.indexOf('}', attempt);
    var changed =
        text.substring(0, attempt)
            + text.substring(attempt, end)
                .replace("\"outcome\" : \"usable\"", "\"outcome\" : \"refused\"")
                .replace("\"call\" : null", "\"call\" : \"VFIO_SET_IOMMU\"")
                .replace("\"errno\" : null", "\"errno\" : \"ENODEV\"")
            + text.substring(end);
    var probe = onRecording(RecordedHost.parse("a", changed), "x86-6.12", "probe").json();
    assertThat(probe.get("groups").get(0).get("chosen").asText()).isEqualTo("type1");
    assertThat(probe.get("groups").get(1).get("chosen").asText()).isEqualTo("type1v2");
  }

  /** Whatever happens to a file, the error says where it is and what is expected. */
  @Test
  void damagedFilesAreRefusedWithASentence() {
    var random = new Random(14);
    for (var name : List.of("x86-6.12-iommufd", "powernv-6.12", "pseries-6.12")) {
      var text = record(name).text();
      for (int i = 0; i < 3000; i++) {
        var damaged = damage(text, random);
        try (var host = RecordedHost.parse("host.json", damaged).open()) {
          var damagedHost = VfioHost.of("damaged", host.kernel());
          assertThat(damagedHost.devices()).isNotNull();
          assertThat(damagedHost.probe(List.of(), IommuPolicy.automatic())).isNotNull();
        } catch (IllegalArgumentException e) {
          assertThat(e.getMessage()).as(damaged).startsWith("host.json:").contains(": ");
        }
      }
    }
  }

  private static String damage(String text, Random random) {
    int at = random.nextInt(text.length());
    int to = Math.min(text.length(), at + random.nextInt(12));
    return switch (random.nextInt(5)) {
      case 0 -> text.substring(0, at);
      case 1 -> text.substring(0, at) + text.substring(to);
      case 2 -> text.substring(0, at) + (char) random.nextInt(128) + text.substring(at + 1);
      case 3 -> text.substring(0, to) + text.substring(at);
      default -> {
        var lines = text.split("\n", -1);
        int line = random.nextInt(lines.length);
        int other = random.nextInt(lines.length);
        var kept = lines[line];
        lines[line] = lines[other];
        lines[other] = kept;
        yield String.join("\n", lines);
      }
    };
  }

  @Test
  void errorsNameTheFieldTheLineAndWhatIsExpected() {
    var text = record("x86-6.12").text();
    refused(text.replace("\"version\" : 1", "\"version\" : 2"), "host.json:3: version: expected 1");
    refused(
        text.replace("\"loaded\" : true", "\"loaded\" : 1"),
        "vfio.loaded: expected true or false, found 1");
    refused(
        text.replace("\"irq\"", "\"irg\""),
        "devices[0].irg: there is no such field; here are address");
    refused(text.replace("0x140204", "140204"), "flags: expected a string such as");
    refused("", "host.json:1: the file is empty");
    refused("[]", "expected an object with the field 'format'");
    assertThatThrownBy(() -> SimulatedHosts.open("file:/nowhere/host.json"))
        .hasMessage("there is no file /nowhere/host.json");
  }

  @Test
  void aFileWithoutAnEndIsRefused() {
    assertThatThrownBy(() -> SimulatedHosts.open("file:/dev/zero"))
        .hasMessage("/dev/zero is too large for the recording of a host");
  }

  private static void refused(String text, String message) {
    assertThatThrownBy(() -> RecordedHost.parse("host.json", text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }
}
