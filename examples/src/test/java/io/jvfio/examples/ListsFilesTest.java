// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ListsFilesTest {
  private static InputStream resource(String name) {
    return Objects.requireNonNull(ListsFilesTest.class.getResourceAsStream(name), name);
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "x86-6.12-iommufd", "pseries-5.10", "pseries-6.12"})
  void listsWhatIsInTheImage(String host, @TempDir Path directory) throws IOException {
    var image = directory.resolve("fat.img");
    try (var in = new GZIPInputStream(resource("fat.img.gz"))) {
      Files.copy(in, image);
    }
    var lines = Output.of(() -> ListsFiles.main(new String[] {"sim:" + host, image.toString()}));

    try (var in = resource("fat.sha256")) {
      var paths =
          new String(in.readAllBytes(), StandardCharsets.UTF_8)
              .lines()
              .map(line -> line.split("  ", 2)[1])
              .toList();
      assertThat(lines)
          .extracting(line -> line.substring(13))
          .containsExactlyInAnyOrderElementsOf(paths);
    }
    assertThat(lines).contains("          26 README.TXT", "           0 EMPTY");
  }

  @Test
  void anEmptyDiskHasNoFileSystem() {
    assertThatIOException().isThrownBy(() -> ListsFiles.main(new String[] {"sim:x86-6.12"}));
  }
}
