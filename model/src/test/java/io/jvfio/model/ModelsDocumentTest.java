// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The tutorial shows code that is there. */
class ModelsDocumentTest {
  private static final Pattern CODE = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

  @ParameterizedTest
  @CsvSource({
    "'## A card with lines', gpio/GpioModel",
    "'## A device that takes its time', edu/EduModel"
  })
  void quotesTheModels(String heading, String model) throws IOException {
    var document = Files.readString(Path.of("../docs/models.md"));
    int start = document.indexOf(heading);
    var section = document.substring(start, document.indexOf("\n## ", start));
    Set<String> source = new HashSet<>();
    try (var lines = Files.lines(Path.of("src/main/java/io/jvfio/model/" + model + ".java"))) {
      lines.map(String::strip).forEach(source::add);
    }

    var blocks = CODE.matcher(section).results().toList();
    assertThat(blocks).isNotEmpty();
    for (var block : blocks) {
      assertThat(block.group(1).lines().map(String::strip))
          .allSatisfy(
              line -> assertThat(line.equals("...") || source.contains(line)).as(line).isTrue());
    }
  }
}
