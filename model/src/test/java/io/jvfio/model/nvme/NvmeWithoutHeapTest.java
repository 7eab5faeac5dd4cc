// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A controller that finds no room for what it keeps of a command serves the next client. */
class NvmeWithoutHeapTest {
  @Test
  void whatAnErrorLeftHalfDoneHurtsNoLaterCommand() throws Exception {
    var tests = Path.of("target", "test-classes").toAbsolutePath();
    var process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:-UseTLAB",
                "-XX:TieredStopAtLevel=1",
                "-Xmx16m",
                "--module-path",
                System.getProperty("jdk.module.path"),
                "--enable-native-access=io.jvfio.linux",
                "--patch-module",
                "io.jvfio.model=" + tests,
                "-m",
                "io.jvfio.model/" + CrampedProgram.class.getName())
            .redirectErrorStream(true)
            .start();
    try (var said = process.inputReader(StandardCharsets.UTF_8)) {
      assertThat(said.lines()).containsExactly("refused some");
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).isZero();
    } finally {
      process.destroyForcibly();
    }
  }
}
