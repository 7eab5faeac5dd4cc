// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class TranscriptTest {
  private static final Transcript.Row OPEN =
      new Transcript.Row("life", 1, "c=open(/dev/vfio/vfio,2)", new Answer("fd", "", 0));

  private static Transcript.Row info(String result, String output, long locked) {
    return new Transcript.Row(
        "life", 2, "ioctl(c,VFIO_IOMMU_GET_INFO,{argsz=0x18})", new Answer(result, output, locked));
  }

  @Test
  void aRecordingReadsBackAsItWasWritten() {
    var transcript = new Transcript(List.of(OPEN, info("0", "flags=0x3 argsz=0x18", -12)));
    var bytes = new ByteArrayOutputStream();
    transcript.write(new PrintStream(bytes, true, StandardCharsets.UTF_8));

    var lines = bytes.toString(StandardCharsets.UTF_8).lines().toList();
    assertThat(lines).hasSize(2);
    assertThat(Transcript.read(lines)).isEqualTo(transcript);
  }

  @Test
  void aBrokenRecordingIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Transcript.read(List.of("life\t1\topen")))
        .withMessageContaining("life\t1\topen");
  }

  @Test
  void resultOutputAndLockedMemoryAllCount() {
    var expected = new Transcript(List.of(OPEN, info("0", "flags=0x3", 4)));

    assertThat(Transcript.differences(expected, expected)).isEmpty();
    for (var other :
        List.of(info("EINVAL", "flags=0x3", 4), info("0", "", 4), info("0", "flags=0x3", 8))) {
      assertThat(Transcript.differences(expected, new Transcript(List.of(OPEN, other))))
          .singleElement()
          .extracting(difference -> difference.describe("kernel", "simulator"))
          .asString()
          .contains(
              "life, step 2, ioctl(c,VFIO_IOMMU_GET_INFO,{argsz=0x18})",
              "kernel: 0 flags=0x3 locked +4 kB",
              "simulator: " + other.answer());
    }
  }

  @Test
  void transcriptsOfDifferentSuitesAreNotCompared() {
    var two = new Transcript(List.of(OPEN, info("0", "", 0)));

    assertThatIllegalArgumentException()
        .isThrownBy(() -> Transcript.differences(two, new Transcript(List.of(OPEN))));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Transcript.differences(two, new Transcript(List.of(OPEN, OPEN))));
  }
}
