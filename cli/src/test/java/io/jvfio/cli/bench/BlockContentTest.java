// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BlockContentTest {
  private final MemorySegment memory = MemorySegment.ofArray(new byte[8192]);

  private boolean check(int blockSize, long lba, long seed, long generation) {
    return BlockContent.check(memory, 512, blockSize, lba, seed, false, generation);
  }

  private String finding(long lba, long seed, long generation) {
    return BlockContent.finding(memory, 512, 512, lba, seed, generation);
  }

  @ParameterizedTest
  @ValueSource(ints = {512, 4096})
  void acceptsWhatItWroteAndNothingElse(int blockSize) {
    BlockContent.stamp(memory, 512, blockSize, 7, 3, 2);
    assertThat(check(blockSize, 7, 3, 2)).isTrue();
    assertThat(check(blockSize, 7, 3, BlockContent.ANY_GENERATION)).isTrue();
    assertThat(BlockContent.check(memory, 512, blockSize, 7, 99, true, 2)).isTrue();
    assertThat(check(blockSize, 8, 3, 2)).isFalse();
    assertThat(check(blockSize, 7, 4, 2)).isFalse();
    assertThat(check(blockSize, 7, 3, 1)).isFalse();
    assertThat(memory.asSlice(0, 512).mismatch(MemorySegment.ofArray(new byte[512]))).isEqualTo(-1);
    assertThat(memory.get(ValueLayout.JAVA_BYTE, 512L + blockSize)).isZero();
  }

  @Test
  void seesEveryBitThatIsDifferent() {
    BlockContent.stamp(memory, 512, 512, 7, 3, 2);
    for (int bit = 0; bit < 512 * 8; bit++) {
      flip(bit);
      assertThat(check(512, 7, 3, 2)).as("bit %d", bit).isFalse();
      flip(bit);
    }
    assertThat(check(512, 7, 3, 2)).isTrue();
  }

  private void flip(int bit) {
    long at = 512L + bit / 8;
    memory.set(
        ValueLayout.JAVA_BYTE, at, (byte) (memory.get(ValueLayout.JAVA_BYTE, at) ^ 1 << (bit % 8)));
  }

  @Test
  void looksUnwrittenOnceSpoilt() {
    BlockContent.stamp(memory, 512, 512, 7, 3, 2);
    BlockContent.spoil(memory, 512);
    assertThat(BlockContent.check(memory, 512, 512, 7, 3, true, BlockContent.ANY_GENERATION))
        .isFalse();
  }

  @Test
  void saysWhatIsWrong() {
    assertThat(finding(0, 3, 2)).isEqualTo("it holds nothing that nvme bench wrote");
    BlockContent.stamp(memory, 512, 512, 7, 3, 2);
    assertThat(finding(1234567, 3, 2)).isEqualTo("it holds what was written to block 7");
    assertThat(finding(7, 3, 4)).isEqualTo("it holds generation 2, not 4");
    assertThat(finding(7, 5, 2)).isEqualTo("it was written with seed 3, not 5");
    flip(8 * 300);
    assertThat(finding(7, 3, 2)).isEqualTo("its checksum does not fit its content");
    assertThat(finding(8, 3, 2)).isEqualTo("it holds nothing that nvme bench wrote");
  }
}
