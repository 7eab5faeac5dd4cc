// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileWorkloadTest {
  @TempDir Path directory;

  private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
  private Path output;
  private String checksum;

  @BeforeEach
  void filesOf65MebibytesInAll() throws IOException {
    FileWorkload.write(directory, 65, new PrintStream(printed, true, StandardCharsets.UTF_8));
    output = Files.writeString(directory.resolve("output"), text());
    checksum = LaneReport.figure(text(), "checksum");
  }

  private String text() {
    return printed.toString(StandardCharsets.UTF_8);
  }

  private boolean check() throws IOException {
    printed.reset();
    return FileWorkload.check(
        directory, output, new PrintStream(printed, true, StandardCharsets.UTF_8));
  }

  @Test
  void findsWhatItWrote() throws IOException {
    assertThat(directory.resolve("file0")).hasSize(64 << 20);
    assertThat(directory.resolve("file1")).hasSize(1 << 20);

    assertThat(check()).isTrue();
    assertThat(LaneReport.figure(text(), "files")).isEqualTo("2");
    assertThat(LaneReport.figure(text(), "checksum")).isEqualTo(checksum);
  }

  @Test
  void findsAChangedByte() throws IOException {
    var file = directory.resolve("file1");
    var bytes = Files.readAllBytes(file);
    bytes[5 * WorkloadPlan.BLOCK + 7] ^= 1;
    Files.write(file, bytes);

    assertThat(check()).isFalse();
    assertThat(text()).contains("different file1: from block 5").contains("files-different 1");
    assertThat(LaneReport.figure(text(), "checksum")).isNotEqualTo(checksum);
  }

  @Test
  void findsAFileThatIsShort() throws IOException {
    Files.write(directory.resolve("file1"), new byte[512]);

    assertThat(check()).isFalse();
    assertThat(text()).contains("different file1: 512 bytes, not 1048576");
  }

  @Test
  void findsAFileThatIsMissing() throws IOException {
    Files.delete(directory.resolve("file0"));

    assertThat(check()).isFalse();
    assertThat(text()).contains("different file0: java.nio.file.NoSuchFileException");
  }

  @Test
  void takesNoHalfLineForAFile() throws IOException {
    Files.writeString(output, "file file9 seed 10 blo");

    assertThat(check()).isFalse();
    assertThat(text()).contains("files 0");
  }

  @Test
  void writesUntilItCannot() throws IOException {
    var missing = directory.resolve("missing");
    FileWorkload.endless(missing, new PrintStream(printed, true, StandardCharsets.UTF_8));

    assertThat(text()).contains("ended-by java.nio.file.NoSuchFileException");
  }
}
