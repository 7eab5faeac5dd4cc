// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.edu.EduModel;
import io.jvfio.model.gpio.GpioModel;
import io.jvfio.user.VfioUserServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 300, unit = TimeUnit.SECONDS)
class UserCommandTest {
  private final Path directory;
  private final DeviceModel model = new GpioModel();
  private VfioUserServer server;

  UserCommandTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @BeforeEach
  void serve() {
    server = VfioUserServer.serve(model, directory.resolve("server"));
  }

  @AfterEach
  void close() {
    server.close();
    model.close();
  }

  private String path(String name) {
    return directory.resolve(name).toString();
  }

  /** What a command that listens at a path has to say of a client that shows the device there. */
  private CommandRun whileShown(String listen, String... command) throws Exception {
    var task = new FutureTask<>(() -> CommandRun.of(command));
    Thread.ofPlatform().start(task);
    while (!Files.exists(Path.of(path(listen))) && !task.isDone()) {
      Thread.sleep(5);
    }
    var shown = CommandRun.of("show", "unix:" + path(listen));
    assertThat(shown.status()).as(shown.err()).isZero();
    var run = task.get(2, TimeUnit.MINUTES);
    assertThat(Path.of(path(listen))).doesNotExist();
    return run;
  }

  private CommandRun tap(String... options) throws Exception {
    return whileShown(
        "tap",
        Stream.concat(
                Stream.of("user", "tap", path("tap"), path("server"), "--connections", "1"),
                Arrays.stream(options))
            .toArray(String[]::new));
  }

  private static JsonNode json(String line) {
    try {
      return new ObjectMapper().readTree(line);
    } catch (JsonProcessingException e) {
      throw new AssertionError(line, e);
    }
  }

  @Test
  void tapsWhatAClientAndAServerSay() throws Exception {
    var run = tap();
    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.err()).contains("listening at " + path("tap"));
    assertThat(run.out().lines())
        .anyMatch(line -> line.matches(" *\\d+ \u00b5s 1  connected"))
        .anyMatch(
            line -> line.matches(" *\\d+ \u00b5s 1  -> #[0-9a-f]{4} VERSION major 0 minor 1 .*"))
        .anyMatch(line -> line.contains("<- ") && line.contains("DEVICE_GET_INFO reply argsz"))
        .anyMatch(line -> line.contains("disconnected: the client closed it"))
        .noneMatch(line -> line.contains("!!"));
  }

  @Test
  void tapsSomeCommandsAsJson() throws Exception {
    var run = tap("--json", "--only", "vfio_user_version,DEVICE_GET_INFO");
    assertThat(run.err()).isEmpty();
    var lines = run.out().lines().map(UserCommandTest::json).toList();
    assertThat(lines).hasSize(4);
    assertThat(lines)
        .extracting(line -> line.get("command").asText())
        .containsExactly("VERSION", "VERSION", "DEVICE_GET_INFO", "DEVICE_GET_INFO");
    assertThat(lines.get(1).get("fields").get("version_data").get("capabilities").isObject())
        .isTrue();
    assertThat(lines.get(3).get("fields").get("num_regions").asInt()).isEqualTo(9);
    assertThat(lines.get(3).get("roundTripNanos").asLong()).isPositive();
  }

  @Test
  void refusesToPrintCommandsThatThereAreNot() {
    var run = CommandRun.of("user", "tap", "a", "b", "--only", "NOTHING");
    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err()).contains("'NOTHING' is no command; there are VERSION, DMA_MAP,");
  }

  @Test
  void saysWhyItCannotListen() throws IOException {
    Files.createFile(directory.resolve("tap"));
    var run = CommandRun.of("user", "tap", path("tap"), path("server"));
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).contains("EADDRINUSE", "Choose another path");
  }

  @Test
  void recordsPrintsAndReplays() throws Exception {
    var recorded =
        whileShown(
            "tap",
            "user",
            "record",
            path("file"),
            path("tap"),
            path("server"),
            "--connections",
            "1");
    assertThat(recorded.status()).as(recorded.err()).isZero();
    assertThat(recorded.out()).contains("connection 1 from", "the client closed it;", "messages");

    var printed = CommandRun.of("user", "print", path("file"));
    assertThat(printed.status()).isZero();
    assertThat(printed.out()).contains("VERSION reply", "DEVICE_GET_REGION_INFO", "disconnected");
    assertThat(CommandRun.of("user", "print", path("file"), "--json").out().lines())
        .allSatisfy(line -> assertThat(json(line).isObject()).isTrue());

    var replayed = CommandRun.of("user", "replay", path("file"), "unix:" + path("server"));
    assertThat(replayed.out()).endsWith("compared: no difference\n");
    assertThat(replayed.status()).isZero();

    var served =
        whileShown(
            "replay", "user", "replay", "--as-server", path("file"), "unix:" + path("replay"));
    assertThat(served.out()).contains("compared: no difference");
    assertThat(served.status()).isZero();
  }

  @Test
  void recordsToStandardOutputAndPrintsStandardInput() throws Exception {
    var recorded =
        whileShown("tap", "user", "record", "-", path("tap"), path("server"), "--connections", "1");
    assertThat(recorded.status()).as(recorded.err()).isZero();
    assertThat(recorded.out()).isEmpty();
    assertThat(recorded.err()).contains("connection 1 from");
    assertThat(Path.of("-")).doesNotExist();

    var recording = recorded.binary();
    var printed = CommandRun.reading(recording, "user", "print", "-");
    assertThat(printed.err()).isEmpty();
    assertThat(printed.out()).contains("VERSION reply", "disconnected");

    var cut = Arrays.copyOf(recording, recording.length - 1);
    assertThat(CommandRun.reading(cut, "user", "print", "-").err())
        .matches(
            "jvfio: the last record of standard input, at byte \\d+, is not whole and left out\n");
  }

  @Test
  void refusesWhatWouldMixOnStandardOutput() {
    for (var command :
        List.of(
            List.of("--json", "user", "record", "-", path("tap"), path("server")),
            List.of("user", "tap", path("tap"), path("server"), "--record", "-"),
            List.of("user", "replay", "-", path("server")))) {
      var run = CommandRun.of(command.toArray(String[]::new));
      assertThat(run.status()).as(command.toString()).isEqualTo(2);
    }
    assertThat(Path.of("-")).doesNotExist();
  }

  @Test
  void writesNoRecordingWhereALinkLeads() throws IOException {
    Files.createSymbolicLink(directory.resolve("link"), directory.resolve("target"));
    var run = CommandRun.of("user", "record", path("link"), path("tap"), path("server"));
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err())
        .contains("the recording cannot be written: " + path("link") + " is a symbolic link");
    assertThat(directory.resolve("target")).doesNotExist();
  }

  @Test
  void tellsInWhatAnotherServerDiffers() throws Exception {
    tap("--record", path("file"));
    try (var other = new EduModel();
        var _ = VfioUserServer.serve(other, directory.resolve("other"))) {
      var run = CommandRun.of("user", "replay", path("file"), path("other"), "--ignore-data");
      assertThat(run.status()).isEqualTo(1);
      assertThat(run.out())
          .contains("RECORDED", "DEVICE_GET_REGION_INFO", "size")
          .contains(" differences");
      var json =
          CommandRun.of("--json", "user", "replay", path("file"), path("other"), "--ignore-data")
              .json();
      assertThat(json.get("same").asBoolean()).isFalse();
      assertThat(json.get("differences").get(0).get("recorded").isTextual()).isTrue();
      assertThat(json.get("differences"))
          .noneSatisfy(each -> assertThat(each.get("kind").asText()).isEqualTo("data"));
    }
  }

  @Test
  void saysWhatIsWrongWithARecording() throws IOException {
    Files.writeString(directory.resolve("file"), "no recording, but long enough to be one");
    for (var command : List.of("print", "replay")) {
      assertThat(failureOf(command, path("file")))
          .contains("is no recording: it begins with something else");
      assertThat(failureOf(command, path("none"))).contains(path("none") + " does not exist");
    }
  }

  private String failureOf(String command, String file) {
    var run =
        command.equals("replay")
            ? CommandRun.of("user", command, file, path("server"))
            : CommandRun.of("user", command, file);
    assertThat(run.status()).isEqualTo(1);
    return run.err();
  }

  @Test
  void looksWhetherAServerConforms() {
    var run = CommandRun.of("user", "conform", "unix:" + path("server"));
    assertThat(run.status()).as(run.out()).isZero();
    assertThat(run.out())
        .contains("version 0.1", "CHECK", "version-answered", "passed", "DEVICE_SET_IRQS")
        .contains(" 0 failed");
    // The first line has what the server tells of itself.
    assertThat(run.out().lines().skip(1).limit(100))
        .allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(150));

    var json = CommandRun.of("--json", "user", "conform", path("server")).json();
    assertThat(json.get("conformant").asBoolean()).isTrue();
    assertThat(json.get("counts").get("failed").asInt()).isZero();
    assertThat(json.get("results").size()).isGreaterThanOrEqualTo(150);
    assertThat(json.get("results").get(0).get("section").asText()).isEqualTo("VFIO_USER_VERSION");
  }

  @Test
  void makesTheChecksThatAreAskedFor() {
    var run = CommandRun.of("user", "conform", path("server"), "--only", "dma-map,reset");
    assertThat(run.status()).isZero();
    assertThat(run.out()).contains("dma-map-twice", "reset").doesNotContain("version-answered");
    assertThat(CommandRun.of("user", "conform", "--list").out()).contains("irq-range\n");
  }

  @Test
  void saysWhatItCannotCheck() {
    var nobody = CommandRun.of("user", "conform", path("nobody"), "--patience", "1");
    assertThat(nobody.status()).isEqualTo(1);
    assertThat(nobody.err()).contains("is not there (ENOENT)", "Start a server");
    var unknown = CommandRun.of("user", "conform", path("server"), "--only", "nothing");
    assertThat(unknown.status()).isEqualTo(2);
    assertThat(unknown.err()).contains("no check is called 'nothing'");
    assertThat(CommandRun.of("user", "conform").status()).isEqualTo(2);
    assertThat(CommandRun.of("user").err()).contains("a command is missing: tap, record");
  }
}
