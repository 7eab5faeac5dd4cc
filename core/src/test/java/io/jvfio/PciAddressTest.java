// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PciAddressTest {

  @Test
  void readsTheLongAndTheShortForm() {
    assertThat(PciAddress.parse("0001:a0:1f.7")).isEqualTo(new PciAddress(1, 0xa0, 0x1f, 7));
    assertThat(PciAddress.parse("06:0d.0")).isEqualTo(new PciAddress(0, 6, 13, 0));
  }

  @Test
  void readsDomainsOfMoreThan16Bits() {
    assertThat(PciAddress.parse("10000:e1:00.0").domain()).isEqualTo(0x10000);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "01:00",
        "0000:01:00",
        "0000:01:00.8",
        "0000:01:20.0",
        "x000:01:00.0",
        "0000:01:00.0 ",
        "1:2:3.4"
      })
  void refusesWhatIsNoAddress(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> PciAddress.parse(text));
  }

  @Test
  void writesWhatItReads() {
    var random = new SplittableRandom(7);
    for (int i = 0; i < 10_000; i++) {
      var address =
          new PciAddress(
              random.nextInt(), random.nextInt(256), random.nextInt(32), random.nextInt(8));
      assertThat(PciAddress.parse(address.toString())).isEqualTo(address);
    }
  }

  @Test
  void sortsByDomainFirstAndTakesItAsUnsigned() {
    var sorted =
        List.of(
            PciAddress.parse("0000:00:01.0"),
            PciAddress.parse("0000:01:00.0"),
            PciAddress.parse("0001:00:00.0"),
            PciAddress.parse("ffffffff:00:00.0"));
    assertThat(sorted.reversed().stream().sorted().toList()).isEqualTo(sorted);
  }
}
