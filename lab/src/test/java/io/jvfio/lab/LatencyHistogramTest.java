package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

class LatencyHistogramTest {
  private final LatencyHistogram histogram = new LatencyHistogram();

  @Test
  void percentilesAreKnownToOnePartInThirtyTwo() {
    for (int i = 1; i <= 100_000; i++) {
      histogram.add(i);
    }

    assertThat(histogram.count()).isEqualTo(100_000);
    for (double percent : new double[] {1, 50, 99, 99.9, 99.99}) {
      long exact = Math.round(percent * 1_000);
      assertThat(histogram.percentile(percent))
          .isGreaterThanOrEqualTo(exact)
          .isCloseTo(exact, Percentage.withPercentage(3.2));
    }
    assertThat(histogram.percentile(100)).isEqualTo(100_000);
  }

  @Test
  void shortDurationsAreKnownExactly() {
    for (int i = 0; i < 64; i++) {
      histogram.add(i);
    }

    for (int i = 0; i < 64; i++) {
      assertThat(histogram.percentile((i + 1) * 100 / 64.0)).isCloseTo(i, within(0L));
    }
  }

  @Test
  void theLongestHasAPlace() {
    histogram.add(Long.MAX_VALUE);
    histogram.add(7);

    assertThat(histogram.longest()).isEqualTo(Long.MAX_VALUE);
    assertThat(histogram.percentile(100)).isEqualTo(Long.MAX_VALUE);
    assertThat(histogram.percentile(50)).isEqualTo(7);
  }

  @Test
  void withoutAnyThereIsNoDuration() {
    assertThat(histogram.percentile(99)).isZero();
  }
}
