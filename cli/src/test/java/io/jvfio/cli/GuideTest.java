// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The user guide shows what the command prints and what the examples say. */
class GuideTest {
  private static final Path DOCS = Path.of("../docs");
  private static final Pattern OPTION = Pattern.compile("--[a-z][a-z-]+");
  private static final Pattern EXAMPLE_OR_BLOCK =
      Pattern.compile("\\]\\((\\S+\\.java)\\)|```java\n(.*?)```", Pattern.DOTALL);

  private static String guide() {
    try {
      return Files.readString(DOCS.resolve("guide.md"));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  static Stream<Shown> commands() {
    return Shown.in(guide()).stream().filter(Shown::isOfOurs);
  }

  @ParameterizedTest
  @MethodSource("commands")
  void aCommandPrintsWhatTheGuideShows(Shown shown) {
    var run = CommandRun.of(shown.arguments());
    assertThat(shown.output()).isNotEmpty();
    assertThat(run.out() + run.err()).matches(shown.pattern());
  }

  @Test
  void thereAreCommandsForEverySection() {
    assertThat(commands()).hasSizeGreaterThanOrEqualTo(8);
  }

  /** The operator's page names options of the server, and of its client. */
  @Test
  void theOptionsForOperatorsAreThere() throws IOException {
    var help =
        CommandRun.of("serve", "nvme", "--help").out()
            + CommandRun.of("nvme", "bench", "--help").out();
    var options =
        OPTION
            .matcher(Files.readString(DOCS.resolve("operating.md")))
            .results()
            .map(MatchResult::group)
            .distinct()
            .toList();
    assertThat(options).hasSizeGreaterThan(10);
    assertThat(options).allSatisfy(option -> assertThat(help).contains(option));
  }

  /** What is shown of a program is in the example linked to last, and that has a test. */
  @Test
  void showsCodeThatIsThereAndIsTested() throws IOException {
    var source = "";
    int blocks = 0;
    for (var found = EXAMPLE_OR_BLOCK.matcher(guide()); found.find(); ) {
      if (found.group(1) != null) {
        var file = DOCS.resolve(found.group(1)).normalize();
        source = Files.readString(file);
        var test = file.toString().replace("/main/", "/test/").replace(".java", "Test.java");
        assertThat(Path.of(test)).exists();
        continue;
      }
      blocks++;
      var lines = source.lines().map(String::strip).collect(Collectors.toSet());
      assertThat(found.group(2).lines().map(String::strip))
          .allSatisfy(line -> assertThat(lines).as(line).contains(line));
    }
    assertThat(blocks).isGreaterThan(8);
  }
}
