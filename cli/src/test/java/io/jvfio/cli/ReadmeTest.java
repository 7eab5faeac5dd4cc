// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The README shows what the command prints, and names what there is. */
@Timeout(180)
class ReadmeTest {
  private static final Path ROOT = Path.of("..");
  private static final String SERVE = "./jvfio serve ";
  private static final String BENCH = "./jvfio nvme bench unix:";
  private static final Pattern NUMBER =
      Pattern.compile("[0-9][0-9,.]*( (ns|us|µs|ms|s|[kMG]B/s)\\b)?");
  private static final Pattern SPACES = Pattern.compile(" +");
  private static final Pattern OPTION = Pattern.compile("--[a-z][a-z-]+");
  private static final Pattern COMMANDS =
      Pattern.compile("\\| `([a-z-]+(?: [a-z][a-z|\\\\]*)?)[` ].*");
  private static final Pattern SCRIPT =
      Pattern.compile("(?:`|    )((?:\\./|lab/|bench/|scripts/)[a-z]+)(?: [^`]*)?[`\n]");
  private static final Pattern EXAMPLE_AND_BLOCK =
      Pattern.compile("\\]\\((\\S+\\.java)\\)\\)?:\n\n```java\n(.*?)```", Pattern.DOTALL);

  private static String readme() {
    try {
      return Files.readString(ROOT.resolve("README.md"));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static Stream<Shown> ours() {
    return Shown.in(readme()).stream().filter(Shown::isOfOurs);
  }

  static Stream<Shown> onSimulatedHosts() {
    return ours().filter(one -> one.command().contains("--host sim:"));
  }

  /** What is measured differs each time. */
  private static String withoutNumbers(String text) {
    return SPACES.matcher(NUMBER.matcher(text).replaceAll("N")).replaceAll(" ").strip();
  }

  @ParameterizedTest
  @MethodSource("onSimulatedHosts")
  void aCommandPrintsWhatTheReadmeShows(Shown shown) {
    var run = CommandRun.of(shown.arguments());
    assertThat(shown.output()).isNotEmpty();
    if (shown.command().contains(" bench ")) {
      assertThat(run.out().lines().map(ReadmeTest::withoutNumbers))
          .containsExactlyElementsOf(
              shown.output().stream().map(ReadmeTest::withoutNumbers).toList());
    } else {
      assertThat(run.out() + run.err()).matches(shown.pattern());
    }
  }

  @Test
  void commandsAreShownThatRunAnywhere() {
    assertThat(onSimulatedHosts()).hasSizeGreaterThanOrEqualTo(3);
    assertThat(CommandRun.of("demo").status()).isZero();
  }

  /**
   * The words of a command that is shown, up to a comment, with files in a folder of the test's.
   */
  private static String[] words(Shown shown, Path folder, String... more) {
    var words =
        Arrays.stream(shown.arguments())
            .takeWhile(word -> !word.equals("&") && !word.isEmpty())
            .map(word -> placed(word, folder));
    return Stream.concat(words, Stream.of(more)).toArray(String[]::new);
  }

  private static String placed(String text, Path folder) {
    return text.replace("/tmp/", folder + "/").replace("disk.img", folder + "/disk.img");
  }

  @Test
  void aServerAndItsClientDoWhatTheReadmeShows(@TempDir Path folder) throws Exception {
    var serve = ours().filter(one -> one.command().startsWith(SERVE)).toList();
    assertThat(serve.stream().map(one -> List.of(words(one, folder))).distinct()).hasSize(1);
    var bench = ours().filter(one -> one.command().startsWith(BENCH)).findFirst().orElseThrow();
    try (var server = new RunningServer(words(serve.getFirst(), folder, "--once"))) {
      var run = CommandRun.of(words(bench, folder, "--time", "100ms", "--warmup", "10ms"));
      assertThat(run.status()).as(run.err()).isZero();
      var said = server.end();
      assertThat(said.status()).isZero();
      // Where io_uring is forbidden it is threads.
      assertThat(said.err().lines().findFirst().orElseThrow().replace("threads", "io_uring"))
          .isEqualTo(placed(serve.getLast().output().getFirst(), folder));
    }
  }

  /** The part that tells of the command. */
  private static String reference() {
    var text = readme().substring(readme().indexOf("\n## The command\n"));
    return text.substring(0, text.indexOf("\n## Proof"));
  }

  @Test
  void theCommandsAndOptionsAreThere() {
    var commands = new HashSet<String>();
    for (var line : reference().lines().filter(each -> each.startsWith("| `")).toList()) {
      var found = COMMANDS.matcher(line);
      assertThat(found.matches()).as(line).isTrue();
      var words = found.group(1).split(" ", 2);
      if (words.length == 1) {
        commands.add(words[0]);
      } else {
        Pattern.compile("\\\\\\|")
            .splitAsStream(words[1])
            .forEach(each -> commands.add(words[0] + " " + each));
      }
    }
    assertThat(commands).hasSizeGreaterThan(20);
    var help =
        Stream.concat(Stream.of("--help"), commands.stream().sorted().map(each -> each + " --help"))
            .map(each -> CommandRun.of(each.split(" ", -1)))
            .peek(each -> assertThat(each.status()).as(each.err()).isZero())
            .map(CommandRun::out)
            .collect(Collectors.joining());
    var options = OPTION.matcher(reference()).results().map(MatchResult::group).distinct().toList();
    assertThat(options).hasSizeGreaterThan(20);
    assertThat(options).allSatisfy(option -> assertThat(help).contains(option));
  }

  @Test
  void theScriptsAreThere() {
    var scripts =
        SCRIPT.matcher(readme()).results().map(found -> found.group(1)).distinct().toList();
    assertThat(scripts).contains("./jvfio", "./build", "lab/run", "bench/run");
    assertThat(scripts).allSatisfy(name -> assertThat(ROOT.resolve(name)).isExecutable());
  }

  /** A block right after an example is a part of it. */
  @Test
  void showsCodeThatIsInTheExample() throws IOException {
    var shown = EXAMPLE_AND_BLOCK.matcher(readme()).results().toList();
    assertThat(shown).isNotEmpty();
    for (var found : shown) {
      var lines =
          Files.readString(ROOT.resolve(found.group(1))).lines().map(String::strip).toList();
      assertThat(found.group(2).lines().map(String::strip))
          .allSatisfy(line -> assertThat(lines).contains(line));
    }
  }
}
