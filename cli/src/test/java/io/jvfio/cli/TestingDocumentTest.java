// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands of docs/testing.md do what it says, one after the other. */
class TestingDocumentTest {
  private static final Pattern BLOCK = Pattern.compile("```sh\n(.*?)```", Pattern.DOTALL);
  private static final Path DOCUMENT = Path.of("../docs/testing.md");

  @Test
  void everyCommandWorks(@TempDir Path folder) throws IOException {
    var failed = new ArrayList<String>();
    int count = 0;
    for (var block : BLOCK.matcher(Files.readString(DOCUMENT)).results().toList()) {
      for (var line : block.group(1).lines().toList()) {
        var run = CommandRun.of(arguments(line, folder));
        // What an empty machine lists is nothing, and that is no failure.
        if (run.status() != 0) {
          failed.add(line + ": " + run.err());
        }
        count++;
      }
    }
    assertThat(failed).isEmpty();
    assertThat(count).isGreaterThan(7);
  }

  /** The words after {@code ./jvfio}, with files in a folder of the test's. */
  private static String[] arguments(String line, Path folder) {
    assertThat(line).startsWith("./jvfio ");
    return Pattern.compile(" ")
        .splitAsStream(line.substring("./jvfio ".length()))
        .map(
            word ->
                word.endsWith(".json")
                    ? word.startsWith("file:")
                        ? "file:" + folder.resolve(word.substring("file:".length()))
                        : folder.resolve(word).toString()
                    : word)
        .toArray(String[]::new);
  }

  /** Whoever reads the JUnit part finds the same in the module's own tests. */
  @Test
  void theTestsInItAreThere() throws IOException {
    var source =
        Files.readString(
            Path.of("../junit/src/test/java/io/jvfio/junit/SimulatedHostTestTest.java"));
    assertThat(Files.readString(DOCUMENT))
        .contains("@SimulatedHostTest(value = \"x86-6.12\", failing = \"VFIO_SET_IOMMU EPERM\")")
        .contains("@SimulatedHostTest(\"file:src/test/resources/recorded-host.json\")");
    assertThat(source)
        .contains("@SimulatedHostTest(value = \"x86-6.12\", failing = \"VFIO_SET_IOMMU EPERM\")")
        .contains("@SimulatedHostTest(\"file:src/test/resources/recorded-host.json\")");
  }
}
