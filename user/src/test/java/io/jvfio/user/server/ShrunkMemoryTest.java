// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.Region;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.DmaPort;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A file shortened under its mapping faults the access, whatever HotSpot has made of the code. */
class ShrunkMemoryTest {
  @TempDir Path directory;

  private static String classPath() {
    return Stream.of(
            LinuxKernel.class,
            Region.class,
            DmaPort.class,
            ClientMemory.class,
            ShrunkMemory.class,
            Assertions.class)
        .map(type -> type.getProtectionDomain().getCodeSource().getLocation().toString())
        .map(location -> Path.of(URI.create(location)).toString())
        .distinct()
        .collect(Collectors.joining(File.pathSeparator));
  }

  private static void assertSurvives(Path output, List<String> options, int warm, int faulty)
      throws IOException, InterruptedException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(options);
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-XX:ErrorFile=" + output.resolveSibling("hs_err.log"),
            "-Xmx256m",
            "-cp",
            classPath(),
            ShrunkMemory.class.getName(),
            Integer.toString(warm),
            Integer.toString(faulty)));
    var process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      assertThat(process.waitFor(5, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).as(Files.readString(output)).isZero();
    } finally {
      process.destroyForcibly();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "interpreted, -Xint, 20, 20",
    "by C1, -XX:TieredStopAtLevel=1, 3000, 60",
    "by C2, -XX:-TieredCompilation, 12000, 60",
    "by both, -XX:+TieredCompilation, 6000, 60",
  })
  void anAccessToWhatIsMissingIsAFaultAndTheJvmLives(
      String how, String option, int warm, int faulty) throws IOException, InterruptedException {
    assertSurvives(directory.resolve(how), List.of(option), warm, faulty);
  }
}
