// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.VfioUser;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The command as a process of its own, which is told to end as Ctrl-C and systemd do. */
@Timeout(180)
class ServeProcessTest {
  private static Process start(String... args) throws IOException {
    return start("io.jvfio.cli/io.jvfio.cli.Main", List.of(), args);
  }

  private static Process start(String main, List<String> options, String... args)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-XX:TieredStopAtLevel=1",
            "--module-path",
            System.getProperty("jdk.module.path"),
            "--enable-native-access=io.jvfio.linux"));
    command.addAll(options);
    command.addAll(List.of("-m", main));
    command.addAll(List.of(args));
    return new ProcessBuilder(command).start();
  }

  /** Starts a program of the tests. */
  private static Process start(Class<?> program, String... args) throws IOException {
    var tests = Path.of("target", "test-classes").toAbsolutePath();
    return start(
        "io.jvfio.cli/" + program.getName(),
        List.of("--patch-module", "io.jvfio.cli=" + tests, "--enable-native-access=io.jvfio.cli"),
        args);
  }

  /** Reads what it says until it listens. */
  private static void awaitServing(BufferedReader err) throws IOException {
    var line = err.readLine();
    assertThat(line).startsWith("jvfio: serving");
  }

  @Test
  void endsInOrderWhenItIsTerminatedWithAClient(@TempDir Path directory) throws Exception {
    var socket = directory.resolve("gpio.sock");
    var process = start("--json", "serve", "gpio", "--socket", socket.toString());
    try (var err = process.errorReader(StandardCharsets.UTF_8)) {
      awaitServing(err);
      try (var device = VfioUser.open(socket);
          var ports = device.region(2).registers();
          var line = device.interrupts().enableIntx();
          var typed = process.outputWriter(StandardCharsets.UTF_8)) {
        ports.write8(4, (byte) 0x80);
        ports.read8(2);
        typed.write("9=1\n");
        typed.flush();
        assertThat(line.await(Duration.ofMinutes(1))).isEqualTo(1);
        process.toHandle().destroy(); // Process.destroy() would close what is to be read
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(process.exitValue()).as("128 and SIGTERM").isEqualTo(143);
      }
      assertThat(err.lines().toList())
          .anySatisfy(line -> assertThat(line).contains("a client is here"))
          .anySatisfy(line -> assertThat(line).contains("the client has gone after"));
      var out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      var json = new CommandRun(0, out, "").json();
      assertThat(json.get("clients").asInt()).isEqualTo(1);
      assertThat(json.get("inputs").get(9).asBoolean()).isTrue();
      assertThat(socket).doesNotExist();
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void keepsWhatWasFlushedWhenItIsKilled(@TempDir Path directory) throws Exception {
    var socket = directory.resolve("nvme.sock");
    var disk = directory.resolve("disk.img");
    String[] serve = {
      "serve", "nvme", "--file", disk.toString(), "--size", "1M", "--socket", socket.toString()
    };
    var process = start(serve);
    var data = Files.write(directory.resolve("data"), new byte[] {1, 2, 3, 4});
    try (var err = process.errorReader(StandardCharsets.UTF_8)) {
      awaitServing(err);
      assertThat(
              CommandRun.of(
                      "nvme", "write", "unix:" + socket, "--block", "5", "--input", data.toString())
                  .status())
          .isZero();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
    assertThat(socket).as("nobody removes it").exists();
    assertThat(Files.readAllBytes(disk)).startsWith(new byte[5 * 512]).contains(1, 5 * 512);

    // Neither the socket nor the lock of the one before is in the way.
    var again = start(serve);
    try (var err = again.errorReader(StandardCharsets.UTF_8)) {
      awaitServing(err);
      var back = directory.resolve("back");
      assertThat(
              CommandRun.of(
                      "nvme", "read", "unix:" + socket, "--block", "5", "--output", back.toString())
                  .status())
          .isZero();
      assertThat(Files.readAllBytes(back)).startsWith(1, 2, 3, 4);
      again.toHandle().destroy();
      assertThat(again.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(socket).doesNotExist();
    } finally {
      again.destroyForcibly();
    }
  }

  /** Here it does not answer for its memory, which the device waits for. */
  @Test
  void endsSoonWhateverAClientLeavesUndoneAndTellsThatInALine(@TempDir Path directory)
      throws Exception {
    var socket = directory.resolve("edu.sock");
    var process = start("serve", "edu", "--socket", socket.toString());
    try (var err = process.errorReader(StandardCharsets.UTF_8)) {
      awaitServing(err);
      try (var liar = new StubbornUser(socket)) {
        liar.answerSomethingElse();
        assertThat(err.readLine()).isEqualTo("jvfio: a client is here");
        assertThat(err.readLine())
            .isEqualTo("jvfio: a client of EduModel is cut off: it answers what was not asked");
        assertThat(err.readLine())
            .contains("the client has gone after")
            .endsWith("It was cut off: it answers what was not asked.");
      }
      try (var _ = new StubbornUser(socket);
          var _ = UnixSocket.connect(LinuxKernel.instance(), socket.toString())) {
        long start = System.nanoTime();
        process.toHandle().destroy();
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(2));
        assertThat(process.exitValue()).as("128 and SIGTERM").isEqualTo(143);
      }
      assertThat(err.lines()).allMatch(line -> line.startsWith("jvfio: "));
    } finally {
      process.destroyForcibly();
    }
    assertThat(socket).doesNotExist();
  }

  /** What cannot be ended is told, and the exit status says so. */
  @Test
  void saysIfItCannotBeEndedInOrder() throws Exception {
    var process = start(UnendingCommand.class);
    try (var err = process.errorReader(StandardCharsets.UTF_8)) {
      assertThat(err.readLine()).isEqualTo("under way");
      process.toHandle().destroy();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(err.lines()).containsExactly("jvfio: it cannot be flushed");
      assertThat(process.exitValue()).isEqualTo(1);
    } finally {
      process.destroyForcibly();
    }
  }

  /** Whoever stops a disk has to know that what it was told to keep may be lost. */
  @Test
  void failsAndTellsWhyIfItsDiskCannotBeFlushedAtTheEnd(@TempDir Path directory) throws Exception {
    Assumptions.assumeTrue(UnflushedCommand.isKnown(), "it is not known how to have a flush fail");
    var socket = directory.resolve("nvme.sock");
    var disk = Files.write(directory.resolve("disk.img"), new byte[1 << 20]);
    var other = Files.write(directory.resolve("other.img"), new byte[1 << 20]);
    var process =
        start(
            UnflushedCommand.class,
            "serve",
            "nvme",
            "--io",
            "threads",
            "--file",
            disk.toString(),
            "--file",
            other.toString(),
            "--socket",
            socket.toString());
    try (var err = process.errorReader(StandardCharsets.UTF_8)) {
      awaitServing(err);
      process.toHandle().destroy();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).isEqualTo(1);
      var lines = err.lines().toList();
      assertThat(lines).hasSize(4);
      assertThat(lines.get(0)).startsWith("jvfio: " + disk + ": fdatasync of 1,048,576 bytes at 0");
      assertThat(lines.get(1)).startsWith("jvfio: " + other + ": fdatasync of 1,048,576 bytes");
      assertThat(lines.get(2))
          .startsWith("jvfio: " + disk + ": the last fdatasync failed: EIO")
          .contains("may be lost", "Check the disk");
      assertThat(lines.get(3))
          .startsWith(
              "jvfio: and while cleaning up: " + other + ": the last fdatasync failed: EIO");
    } finally {
      process.destroyForcibly();
    }
    assertThat(socket).doesNotExist();
  }

  @Test
  void logsAlsoWhileTheJvmEnds() throws Exception {
    var process = start(LateCommand.class);
    try (var err = process.errorReader(StandardCharsets.UTF_8)) {
      assertThat(err.readLine()).isEqualTo("under way");
      process.toHandle().destroy();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(err.lines()).containsExactly("jvfio: the last flush failed");
    } finally {
      process.destroyForcibly();
    }
  }
}
