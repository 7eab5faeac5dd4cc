// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the command does before it does what it was asked for. */
class StartTest {
  private static final List<String> COMMANDS =
      List.of(
          "demo",
          "list",
          "probe",
          "show",
          "iova",
          "hosts",
          "record-host",
          "nvme",
          "serve",
          "user",
          "shell",
          "help");

  /** Each takes time at every start: proxies of annotations are made anew by each JVM. */
  @Test
  void aListTakesNoAnnotationsAndNoPictures() throws IOException {
    var process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xlog:class+load",
                "--module-path",
                System.getProperty("jdk.module.path"),
                "--enable-native-access=io.jvfio.linux",
                "-m",
                "io.jvfio.cli/io.jvfio.cli.Main",
                "--host",
                "sim:pseries-5.10",
                "list")
            .start();
    var out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(out).contains("0000:00:00.0  1b36:0010").contains("io.jvfio.cli.ListCommand source");
    assertThat(out.lines().filter(line -> line.contains("source:")))
        .noneMatch(line -> line.contains("$Proxy"))
        .noneMatch(line -> line.contains("java.awt") || line.contains("ProbeCommand"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"--help", "-h", "help"})
  void helpNamesEveryCommand(String asked) {
    var run = CommandRun.of(asked);
    assertThat(run.status()).isZero();
    assertThat(run.out().lines().map(String::strip)).anyMatch(line -> line.startsWith("list "));
    for (var command : COMMANDS) {
      assertThat(run.out()).containsPattern("(?m)^  " + command + " ");
    }
    assertThat(CommandRun.of("--host", "local", asked).out()).isEqualTo(run.out());
  }

  @Test
  void helpOfOneCommandIsTheSameByEitherWay() {
    for (var command : List.of("list", "probe", "serve")) {
      assertThat(CommandRun.of("help", command).out())
          .isEqualTo(CommandRun.of(command, "--help").out());
    }
  }

  /** One is made with annotations, the other without. */
  @Test
  void theCommonOptionsHaveTheSameWordsEverywhere() {
    assertThat(options("list")).isEqualTo(options("hosts")).contains("--help").contains("--json");
  }

  private static String options(String command) {
    var help = CommandRun.of(command, "--help").out();
    return help.substring(help.indexOf("\n  -h"));
  }

  @Test
  void aCommandIsNoValue() {
    var run = CommandRun.of("--host", "list", "probe");
    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err()).contains("Expected parameter for option '--host' but found 'list'");
  }

  @Test
  void whatIsNoCommandIsTold() {
    assertThat(CommandRun.of("lst").err())
        .contains("Unmatched argument at index 0: 'lst'")
        .contains("Try 'jvfio --help'");
    assertThat(CommandRun.of("lst", "list").status()).isEqualTo(2);
  }
}
