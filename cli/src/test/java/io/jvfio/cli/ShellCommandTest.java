// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShellCommandTest {
  private record Shell(int status, String output) {}

  private static Shell run(String input, String... args) throws IOException, InterruptedException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-XX:TieredStopAtLevel=1",
            "--module-path",
            System.getProperty("jdk.module.path"),
            "--enable-native-access=io.jvfio.linux",
            "-m",
            "io.jvfio.cli/io.jvfio.cli.Main"));
    command.addAll(List.of(args));
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try (var to = process.getOutputStream()) {
      to.write(input.getBytes(StandardCharsets.UTF_8));
    }
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Shell(process.waitFor(), output);
  }

  @Test
  void aPipedProgramSeesHostAndDevice() throws IOException, InterruptedException {
    var shell =
        run(
            """
            System.out.println("type " + device.dmaSpace().type());
            System.out.println("devices " + host.devices().size());
            var mapped = device.dmaSpace().allocate(4096).isMapped();
            System.out.println("mapped " + mapped);
            /exit 7
            """,
            "--host",
            "sim:pseries-5.10",
            "shell",
            "0000:00:00.0");
    assertThat(shell.output())
        .contains("host is sim:pseries-5.10.")
        .contains("device is 0000:00:00.0, with IOMMU type spapr-tce.")
        .contains("/exit ends.")
        .contains("type spapr-tce\n", "devices 2\n", "mapped true\n");
    assertThat(shell.status()).isEqualTo(7);
  }

  @Test
  void whatIsNoAddressOrNoHostIsRefusedBeforeAnythingStarts() {
    assertThat(CommandRun.of("--host", "sim:x86-6.12", "shell", "nonsense").status()).isEqualTo(2);
    assertThat(CommandRun.of("--host", "sim:none", "shell").status()).isEqualTo(2);
  }

  /** Whatever a name has in it, it stays a string. */
  @Test
  void namesAreQuoted() {
    assertThat(ShellCommand.startup("file:a\"b\\c", null)).contains("(\"file:a\\\"b\\\\c\")");
  }

  /** The compiler and its modules would cost every other command time. */
  @Test
  void theCommandDoesNotRequireJshell() {
    assertThat(Main.class.getModule().getDescriptor().requires())
        .extracting(ModuleDescriptor.Requires::name)
        .doesNotContain("jdk.jshell", "jdk.compiler");
  }
}
