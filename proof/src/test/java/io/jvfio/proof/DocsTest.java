// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The documents name files, and files move. */
class DocsTest {
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:\\s]+)(#[^)]*)?\\)");

  private static final Pattern SNIPPET =
      Pattern.compile("@snippet class=\"(\\S+)\" region=\"(\\S+)\"}");
  private static final Pattern REGION = Pattern.compile("// @start region=\"(\\S+)\"");

  /** Where snippets are; see the Javadoc plugin in the parent's POM. */
  private static final Path EXAMPLES = Path.of("examples/src/main/java");

  static final Path ROOT = root();

  private static Path root() {
    for (var folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
      if (Files.exists(folder.resolve("CONTRIBUTING.md"))) {
        return folder;
      }
    }
    throw new AssertionError("not in a checkout");
  }

  private static List<Path> documents() throws IOException {
    var documents = new ArrayList<Path>();
    for (var name :
        List.of("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "lab/README.md")) {
      documents.add(ROOT.resolve(name));
    }
    try (var docs = Files.list(ROOT.resolve("docs"))) {
      docs.filter(file -> file.toString().endsWith(".md")).forEach(documents::add);
    }
    return documents;
  }

  @Test
  void everyFileThatADocumentLinksToIsThere() throws IOException {
    var dead = new ArrayList<String>();
    int links = 0;
    for (var document : documents()) {
      for (var found = LINK.matcher(Files.readString(document)); found.find(); links++) {
        if (!Files.exists(document.resolveSibling(found.group(1)))) {
          dead.add(ROOT.relativize(document) + ": " + found.group(1));
        }
      }
    }
    assertThat(dead).isEmpty();
    assertThat(links).isGreaterThan(50);
  }

  private static List<Path> sources() throws IOException {
    try (var files = Files.walk(ROOT)) {
      return files
          .filter(file -> file.toString().endsWith(".java"))
          .filter(file -> ROOT.relativize(file).toString().contains("/src/main/"))
          .toList();
    }
  }

  /** Javadoc shows regions of compiled code, by name; nothing else would find a wrong name. */
  @Test
  void everySnippetIsThereAndShown() throws IOException {
    var shown = new HashSet<String>();
    var there = new HashSet<String>();
    for (var source : sources()) {
      var text = Files.readString(source);
      for (var found = SNIPPET.matcher(text); found.find(); ) {
        shown.add(found.group(1).replace('.', '/') + ".java " + found.group(2));
      }
      for (var found = REGION.matcher(text); found.find(); ) {
        there.add(ROOT.resolve(EXAMPLES).relativize(source) + " " + found.group(1));
      }
    }
    assertThat(shown).isEqualTo(there).hasSizeGreaterThan(10);
  }

  /** A walk goes through a file once, or it is no walk. */
  @Test
  void noWalkNamesAFileTwice() throws IOException {
    var design = Files.readString(ROOT.resolve("docs/design.md"));
    var walks = design.substring(design.indexOf("## Five walks"));
    walks = walks.substring(0, walks.indexOf("\n## "));
    int count = 0;
    for (var walk : Pattern.compile("\\*\\*From ").splitAsStream(walks).toList()) {
      var seen = new HashSet<String>();
      for (var found = LINK.matcher(walk); found.find(); ) {
        assertThat(seen.add(found.group(1))).as(found.group(1)).isTrue();
      }
      count += seen.isEmpty() ? 0 : 1;
    }
    assertThat(count).isEqualTo(5);
  }
}
