// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class EntryLayoutTest {
  private static final HexFormat HEX = HexFormat.of();

  @Test
  void writesASubmissionEntryAsOnTheWire() {
    try (var arena = Arena.ofConfined()) {
      var queue = arena.allocate(128, 8);
      SubmissionEntry.write(
          queue,
          64,
          Opcode.READ.code() | 0x1234_0000,
          1,
          0x1122_3344_5566_7788L,
          0x99aa_bbcc_ddee_ff00L,
          SubmissionEntry.pair(0x0a0b_0c0d, 0x1a1b_1c1d),
          SubmissionEntry.pair(0x2a2b_2c2d, 0x3a3b_3c3d),
          SubmissionEntry.pair(0x4a4b_4c4d, -1));

      byte[] bytes = queue.asSlice(64).toArray(ValueLayout.JAVA_BYTE);
      assertThat(HEX.formatHex(bytes))
          .isEqualTo(
              "02003412"
                  + "01000000"
                  + "00000000"
                  + "00000000"
                  + "0000000000000000"
                  + "8877665544332211"
                  + "00ffeeddccbbaa99"
                  + "0d0c0b0a"
                  + "1d1c1b1a"
                  + "2d2c2b2a"
                  + "3d3c3b3a"
                  + "4d4c4b4a"
                  + "ffffffff");
      assertThat(queue.asSlice(0, 64).mismatch(MemorySegment.ofArray(new byte[64]))).isEqualTo(-1);
    }
  }

  @Test
  void readsACompletionEntryAsOnTheWire() {
    try (var arena = Arena.ofConfined()) {
      var queue = arena.allocate(32, 8);
      byte[] bytes = HEX.parseHex("78563412" + "00000000" + "0500" + "0100" + "0700" + "0581");
      MemorySegment.copy(bytes, 0, queue, ValueLayout.JAVA_BYTE, 16, bytes.length);

      int last = CompletionEntry.lastDwordAcquire(queue, 16);

      assertThat(CompletionEntry.result(queue, 16)).isEqualTo(0x1234_5678);
      assertThat(CompletionEntry.commandId(last)).isEqualTo(7);
      assertThat(CompletionEntry.phase(last)).isEqualTo(1);
      assertThat(CompletionEntry.status(last)).isEqualTo(0x4082);
    }
  }
}
