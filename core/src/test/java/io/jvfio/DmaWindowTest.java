// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class DmaWindowTest {
  private static final DmaWindow HIGH =
      new DmaWindow(0x0800_0000_0000_0000L, 0x0800_0000_3fff_ffffL, 0x10000);
  private static final DmaWindow ALL = new DmaWindow(0, -1, 4096);

  @Test
  void containsWhatLiesWithinToTheLastByte() {
    assertThat(HIGH.contains(HIGH.start(), 0x4000_0000L)).isTrue();
    assertThat(HIGH.contains(HIGH.start(), 0x4000_0001L)).isFalse();
    assertThat(HIGH.contains(HIGH.start() - 1, 2)).isFalse();
    assertThat(HIGH.contains(HIGH.last(), 1)).isTrue();
    assertThat(HIGH.contains(HIGH.last() + 1, 1)).isFalse();
  }

  @Test
  void doesNotWrapAround() {
    assertThat(ALL.contains(-4096, 4096)).isTrue();
    assertThat(ALL.contains(-4096, 4097)).isFalse();
    assertThat(ALL.contains(-1, Long.MAX_VALUE)).isFalse();
  }

  @Test
  void refusesToEndBeforeItStarts() {
    assertThatIllegalArgumentException().isThrownBy(() -> new DmaWindow(-1, 0, 4096));
    assertThatIllegalArgumentException().isThrownBy(() -> new DmaWindow(0, 4095, 3));
  }
}
