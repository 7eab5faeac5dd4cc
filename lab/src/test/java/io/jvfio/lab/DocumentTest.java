// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DocumentTest {
  @Test
  void membersElementsAndTexts() {
    var document = Document.parse("{\"a\": [1, true, null, \"x\", {\"b\": 2.5}], \"c\": null}");

    assertThat(document.at("a").elements())
        .extracting(Document::text)
        .startsWith("1", "true", "null", "x");
    assertThat(document.at("a").elements().getLast().at("b").text()).isEqualTo("2.5");
    assertThat(document.at("c").text()).isEqualTo("null");
  }

  @Test
  void whatIsNotThereHasNothing() {
    var absent = Document.parse("{}").at("a").at("b");

    assertThat(absent.text()).isEqualTo("null");
    assertThat(absent.elements()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "jvfio: no such device", "{} {}", "[1,"})
  void anythingElseIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> Document.parse(text));
  }
}
