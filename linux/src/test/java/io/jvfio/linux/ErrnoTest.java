// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ErrnoTest {
  @Test
  void everyResultBelowZeroIsItsError() {
    for (var errno : known()) {
      assertThat(Errno.of(errno.number())).isSameAs(errno);
      assertThat(errno.result()).isEqualTo(-errno.number());
      assertThat(Errno.ofResult(errno.result())).isSameAs(errno);
      assertThat(errno).hasToString(errno.symbol());
    }
  }

  @Test
  void everySymbolIsItsError() {
    for (var errno : known()) {
      assertThat(Errno.ofSymbol(errno.symbol())).containsSame(errno);
    }
    assertThat(Errno.ofSymbol("ENOSUCH")).isEmpty();
    assertThat(Errno.ofSymbol("errno 4095")).isEmpty();
  }

  @Test
  void anUnknownNumberKeepsIt() {
    var errno = Errno.of(4095);

    assertThat(errno.number()).isEqualTo(4095);
    assertThat(errno).hasToString("errno 4095");
    assertThat(errno.result()).isEqualTo(-4095);
  }

  /** Every constant declared, under its own name. */
  static List<Errno> known() {
    var known = new ArrayList<Errno>();
    for (var field : Errno.class.getFields()) {
      if (field.getType() == Errno.class) {
        try {
          var errno = (Errno) field.get(null);
          assertThat(errno.symbol()).isEqualTo(field.getName());
          known.add(errno);
        } catch (IllegalAccessException e) {
          throw new AssertionError(e);
        }
      }
    }
    assertThat(known).hasSizeGreaterThanOrEqualTo(20);
    return known;
  }
}
