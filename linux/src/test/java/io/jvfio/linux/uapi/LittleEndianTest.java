// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LittleEndianTest {
  /** Values have their lowest byte first, at any address, and nothing besides them changes. */
  @ParameterizedTest
  @CsvSource({
    "1, 00ff000000000000000000, ff",
    "2, 00ffee0000000000000000, eeff",
    "4, 00ffeeddcc000000000000, ccddeeff",
    "8, 00ffeeddccbbaa99880000, 8899aabbccddeeff",
  })
  void readsAndWritesValuesOfEachWidth(int width, String hex, String value) {
    var bytes = HexFormat.of().parseHex(hex);
    long expected = Long.parseUnsignedLong(value, 16);

    assertThat(LittleEndian.load(MemorySegment.ofArray(bytes), 1, width)).isEqualTo(expected);

    byte[] written = new byte[bytes.length];
    LittleEndian.store(MemorySegment.ofArray(written), 1, width, 0x8899_aabb_ccdd_eeffL);
    assertThat(written).isEqualTo(bytes);
  }
}
