// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A file that is taken out of here still says what may be done with it. */
class LicenceTest {
  private static final String LICENCE = " SPDX-License-Identifier: Apache-2.0";
  private static final Set<String> NOT_SOURCES = Set.of(".git", "target");
  private static final int LONGEST_BEGINNING = 256;

  /** Programs in Java, Kotlin, C and the shell, by their beginning. */
  private static List<Path> withoutLicence(List<Path> seen) throws IOException {
    var without = new ArrayList<Path>();
    Files.walkFileTree(
        DocsTest.ROOT,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
            return NOT_SOURCES.contains(folder.getFileName().toString())
                ? FileVisitResult.SKIP_SUBTREE
                : FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            var lines = beginning(file).lines().limit(2).toList();
            boolean isScript = !lines.isEmpty() && lines.getFirst().startsWith("#!");
            if (isScript || file.toString().matches(".*\\.(java|kt|c|h|sh)")) {
              seen.add(file);
              int line = isScript ? 1 : 0;
              if (lines.size() <= line || !lines.get(line).endsWith(LICENCE)) {
                without.add(DocsTest.ROOT.relativize(file));
              }
            }
            return FileVisitResult.CONTINUE;
          }
        });
    return without;
  }

  private static String beginning(Path file) throws IOException {
    try (var stream = Files.newInputStream(file)) {
      return new String(stream.readNBytes(LONGEST_BEGINNING), StandardCharsets.ISO_8859_1);
    }
  }

  @Test
  void everySourceSaysItsLicence() throws IOException {
    var seen = new ArrayList<Path>();
    assertThat(withoutLicence(seen)).isEmpty();
    assertThat(seen).hasSizeGreaterThan(1000);
  }
}
