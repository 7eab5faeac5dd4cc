// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.option;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.cli.output.Text;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ByteSizeTest {

  @ParameterizedTest
  @CsvSource({
    "4096, 4096",
    "4K, 4096",
    "2MiB, 2097152",
    "1g, 1073741824",
    "0x1000, 4096",
    "0X7fffffffffffffff, 9223372036854775807",
  })
  void readsSizes(String text, long byteSize) {
    assertThat(ByteSize.parse(text)).isEqualTo(byteSize);
  }

  @ParameterizedTest
  @CsvSource({
    "0x0, 0x0, 1 bytes",
    "0x0, 0xfff, 4 KiB",
    "0x0, 0x3ff, 1 KiB",
    "0x11000, 0x3fffffff, 1 GiB",
    "0x0, 0xc7fff, 800 KiB",
    "0x0, 0xa1fff, 648 KiB",
    "0x0, 0xa3ffff, 10.2 MiB",
    "0x0, 0xfedfffff, 3.98 GiB",
    "0xfef01000, 0xffffffffffff, 256 TiB",
    "0x1000, 0xaabbfff, 171 MiB",
    "0x0, 0xffffffffffffffff, 16 EiB",
    "0x800000200000000, 0xffffffffffffffff, 15.5 EiB",
  })
  void tellsTheLengthOfARange(String start, String last, String text) {
    assertThat(Text.span(AddressText.parse(start), AddressText.parse(last))).isEqualTo(text);
  }

  @Test
  void breaksTextAtSpacesAndWhereThereIsNone() {
    assertThat(Text.broken("one two  three", 8)).containsExactly("one two", "three");
    assertThat(Text.broken("abcdefghij", 4)).containsExactly("abcd", "efgh", "ij");
    assertThat(Text.broken("a line\nanother", 20)).containsExactly("a line", "another");
  }
}
