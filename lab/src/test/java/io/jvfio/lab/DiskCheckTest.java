// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A plan, put on a disk as a workload does it, and what is found of it. */
class DiskCheckTest {
  private static final WorkloadPlan PLAN = new WorkloadPlan(7, 100, 20_000);
  private static final int DISK_BLOCKS = 30_000;

  @TempDir Path directory;
  private Path image;
  private Path output;
  private long written;

  @BeforeEach
  void aDiskThatWasWritten() throws Exception {
    image = directory.resolve("disk");
    output = directory.resolve("workload.out");
    try (var arena = Arena.ofConfined();
        var channel =
            FileChannel.open(
                image,
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE)) {
      var disk =
          channel.map(
              FileChannel.MapMode.READ_WRITE, 0, (long) DISK_BLOCKS * WorkloadPlan.BLOCK, arena);
      for (var request : PLAN.requests(0)) {
        written +=
            PLAN.fill(
                disk,
                (PLAN.firstBlock() + request.block()) * WorkloadPlan.BLOCK,
                request.block(),
                request.blocks());
      }
    }
    Files.writeString(output, "serial jvfio0\nseed 7\nfirst 100\nblocks 20000\n");
  }

  private String check(boolean passes) throws IOException {
    var out = new ByteArrayOutputStream();
    boolean passed =
        DiskCheck.check(image, output, new PrintStream(out, true, StandardCharsets.UTF_8));
    var text = out.toString(StandardCharsets.UTF_8);
    assertThat(passed).as(text).isEqualTo(passes);
    return text;
  }

  private void change(long offset) throws IOException {
    try (var file = new RandomAccessFile(image.toFile(), "rw")) {
      file.seek(offset);
      int old = file.read();
      file.seek(offset);
      file.write(old ^ 1);
    }
  }

  @Test
  void everyRoundHasEachBlockOnce() {
    for (int round = 0; round < 3; round++) {
      var seen = new BitSet();
      int largest = 0;
      for (var request : PLAN.requests(round)) {
        assertThat(request.blocks()).isPositive();
        assertThat(
                seen.nextSetBit(request.block()) < 0
                    || seen.nextSetBit(request.block()) >= request.block() + request.blocks())
            .isTrue();
        seen.set(request.block(), request.block() + request.blocks());
        largest = Math.max(largest, request.blocks());
      }
      assertThat(seen.cardinality()).isEqualTo(PLAN.blockCount());
      assertThat(largest).isBetween(1000, WorkloadPlan.LARGEST);
    }
    assertThat(PLAN.requests(0)).isEqualTo(PLAN.requests(0)).isNotEqualTo(PLAN.requests(1));
  }

  @Test
  void whatWasWrittenIsFound() throws Exception {
    assertThat(check(true))
        .contains("different none", "beyond zero", "checksum %016x".formatted(written));
  }

  @Test
  void oneBitIsNoticed() throws Exception {
    change((100 + 12_345) * 512 + 511);

    assertThat(check(false)).contains("different 12445").doesNotContain("%016x".formatted(written));
  }

  @Test
  void blocksOfAnotherSeedAreNotThese() throws Exception {
    Files.writeString(output, "seed 8\nfirst 100\nblocks 20000\n");

    assertThat(check(false)).contains("different 100");
  }

  @Test
  void whatIsPastTheRegionIsToBeZero() throws Exception {
    change(20_100 * 512);
    assertThat(check(false)).contains("different none", "beyond " + 20_100 * 512);

    change(20_100 * 512);
    change(29_999 * 512 + 511);
    assertThat(check(false)).contains("beyond " + (29_999 * 512 + 511));
  }

  @Test
  void anOutputThatSaysNothingIsNoPlan() throws Exception {
    Files.writeString(output, "seed 8\n");

    assertThatThrownBy(() -> check(false)).hasMessageContaining("no first");
  }
}
