// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Errno numbers and texts against the C library and the headers of powerpc64le. */
class ErrnoHeaderTest {
  @Test
  void theNumbersOfPowerAreTheSame() throws Exception {
    var compiler =
        CCompiler.require(
            "powerpc64le-linux-gnu-gcc", "gcc-powerpc64le-linux-gnu linux-libc-dev-ppc64el-cross");
    var rows =
        known().stream().map(errno -> HeaderRow.equal(errno.symbol(), errno.number())).toList();

    var comparison = compiler.compare(List.of("asm/errno.h"), rows);

    assertThat(comparison.different()).isEmpty();
    assertThat(comparison.absent()).isEmpty();
    assertThat(comparison.compared()).hasSize(rows.size());
  }

  @Test
  void theCLibraryGivesTheSameNumbersAndTexts() throws Exception {
    var compiler = CCompiler.require("gcc", "gcc libc6-dev");
    var program = new ArrayList<String>();
    program.add("#include <errno.h>");
    program.add("#include <stdio.h>");
    program.add("#include <string.h>");
    program.add("int main(void) {");
    for (var errno : known()) {
      program.add(
          "printf(\"%s %%d %%s\\n\", %s, strerror(%s));"
              .formatted(errno.symbol(), errno.symbol(), errno.symbol()));
    }
    program.add("}");

    assertThat(compiler.runProgram(program))
        .containsExactlyElementsOf(
            known().stream()
                .map(errno -> errno.symbol() + " " + errno.number() + " " + errno.text())
                .toList());
  }

  private static List<Errno> known() throws IllegalAccessException {
    var known = new ArrayList<Errno>();
    for (var field : Errno.class.getFields()) {
      if (field.getType() == Errno.class) {
        known.add((Errno) field.get(null));
      }
    }
    assertThat(known).hasSizeGreaterThanOrEqualTo(20);
    return known;
  }
}
