// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.linux.uapi.VfioInfoCapHeader;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class InfoCapabilityTest {
  private final MemorySegment info = MemorySegment.ofArray(new long[16]);

  private void put(int offset, int id, int next) {
    var header = info.asSlice(offset);
    VfioInfoCapHeader.ID.set(header, (short) id);
    VfioInfoCapHeader.VERSION.set(header, (short) 1);
    VfioInfoCapHeader.NEXT.set(header, next);
  }

  @Test
  void readsAChainInItsOrder() throws MalformedInfoException {
    put(24, 2, 56);
    put(56, 3, 72);
    put(72, 1, 0);
    assertThat(InfoCapability.chain(info, 24))
        .extracting(InfoCapability::id)
        .containsExactly(2, 3, 1);
    assertThat(InfoCapability.chain(info, 0)).isEmpty();
  }

  @Test
  void refusesAChainThatGoesInCircles() {
    put(24, 1, 56);
    put(56, 1, 24);
    assertThatExceptionOfType(MalformedInfoException.class)
        .isThrownBy(() -> InfoCapability.chain(info, 24))
        .withMessageContaining("56 to 24");
  }

  @Test
  void refusesAChainThatLeavesTheBlockOrIsMisaligned() {
    assertThatExceptionOfType(MalformedInfoException.class)
        .isThrownBy(() -> InfoCapability.chain(info, 128));
    assertThatExceptionOfType(MalformedInfoException.class)
        .isThrownBy(() -> InfoCapability.chain(info, -8));
    assertThatExceptionOfType(MalformedInfoException.class)
        .isThrownBy(() -> InfoCapability.chain(info, 25));
  }

  @Test
  void endsOnAnyInput() {
    var random = new SplittableRandom(11);
    for (int i = 0; i < 20_000; i++) {
      for (long offset = 0; offset < info.byteSize(); offset += 8) {
        info.set(
            java.lang.foreign.ValueLayout.JAVA_LONG, offset, random.nextLong() & 0x7f_ffff_ffffL);
        VfioInfoCapHeader.NEXT.set(info.asSlice(offset), random.nextInt(18) * 8);
      }
      try {
        assertThat(InfoCapability.chain(info, random.nextInt(18) * 8)).hasSizeLessThan(16);
      } catch (MalformedInfoException e) {
        assertThat(e.what()).contains("chain");
      }
    }
  }
}
