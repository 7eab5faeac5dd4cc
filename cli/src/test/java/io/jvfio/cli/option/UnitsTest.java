// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.option;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.cli.output.Text;
import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sizes and times on the command line, and latencies in its output. */
class UnitsTest {

  @ParameterizedTest
  @CsvSource({
    "10, PT10S",
    "1.5s, PT1.5S",
    "200ms, PT0.2S",
    "250us, PT0.00025S",
    "5m, PT5M",
    "2h, PT2H"
  })
  void readsTimes(String text, Duration time) {
    assertThat(new TimeSpan().convert(text)).isEqualTo(time);
  }

  @ParameterizedTest
  @CsvSource({"4096, 4096, 4096", "4k, 4096, 4096", "512-1M, 512, 1048576"})
  void readsRangesOfSizes(String text, long smallest, long largest) {
    assertThat(new SizeRange.Converter().convert(text)).isEqualTo(new SizeRange(smallest, largest));
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1 ns",
    "999, 999 ns",
    "1000, '1 \u00b5s'",
    "1234, '1.23 \u00b5s'",
    "12345, '12.3 \u00b5s'",
    "123456, '123 \u00b5s'",
    "999999, 1 ms",
    "5000000000, 5 s",
    "5000000000000, 5000 s"
  })
  void tellsLatenciesToThreeDigits(long nanos, String text) {
    assertThat(Text.latency(nanos)).isEqualTo(text);
  }
}
