// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Modules and packages of the API say since when there are any; types do where they came later. See
 * {@code docs/compatibility.md}.
 */
class SinceTest {
  /** Modules that are no API. */
  private static final Set<String> INSIDE =
      Set.of("io.jvfio.cli", "io.jvfio.examples", "io.jvfio.lab", "io.jvfio.bench");

  private static List<String> expected(House house) {
    var files = new ArrayList<String>();
    for (var module : house.modules()) {
      if (!INSIDE.contains(module)) {
        files.add(module + " module-info.java");
        house.descriptor(module).exports().stream()
            .filter(exported -> !exported.isQualified())
            .map(exported -> exported.source().replace('.', '/') + "/package-info.java")
            .forEach(files::add);
      }
    }
    return files;
  }

  @Test
  void modulesAndPackagesSaySinceWhen() throws IOException {
    var without = new ArrayList<>(expected(House.built()));
    try (var folders = Files.list(DocsTest.ROOT)) {
      for (var folder : folders.toList()) {
        var sources = folder.resolve("src/main/java");
        var described = sources.resolve("module-info.java");
        if (Files.exists(described)) {
          var text = Files.readString(described);
          var name = text.replaceFirst("(?s).*\\nmodule ([\\w.]+) \\{.*", "$1");
          if (text.contains("@since 0.")) {
            without.remove(name + " module-info.java");
          }
        }
        without.removeIf(
            file -> {
              var path = sources.resolve(file);
              try {
                return Files.exists(path) && Files.readString(path).contains("@since 0.");
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
      }
    }
    assertThat(without).isEmpty();
  }
}
