// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.model.edu.EduModel;
import io.jvfio.user.VfioUser;
import io.jvfio.user.VfioUserServer;
import java.io.IOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(180)
class ServeCommandTest {
  @TempDir private @Nullable Path directory;

  private Path path(String name) {
    return Objects.requireNonNull(directory).resolve(name);
  }

  /** What the server's command said, and what {@code client} said meanwhile. */
  private static CommandRun serve(Path socket, Callable<CommandRun> client, String... args)
      throws Exception {
    try (var server = new RunningServer(args)) {
      var said = client.call();
      assertThat(said.status()).as(said.err()).isZero();
      var result = server.end();
      assertThat(socket).doesNotExist();
      return result;
    }
  }

  @Test
  void aClientFindsAnNvmeControllerWhoseDataStay() throws Exception {
    var socket = path("nvme.sock");
    var disk = path("disk.img");
    String[] server = {
      "serve",
      "nvme",
      "--file",
      disk.toString(),
      "--size",
      "8M",
      "--socket",
      socket.toString(),
      "--once"
    };
    var device = "unix:" + socket;
    var result =
        serve(socket, () -> CommandRun.of("nvme", "verify", device, "--size", "1M"), server);
    assertThat(result.status()).as(result.err()).isZero();
    assertThat(result.err())
        .contains("serving an NVMe controller of serial jvfio0 on ")
        .contains(" at " + socket)
        .contains("a client is here")
        .contains("It closed the connection.");
    assertThat(Files.size(disk)).isEqualTo(8 << 20);

    var again = serve(socket, () -> CommandRun.of("nvme", "identify", device), server);
    assertThat(again.status()).isZero();
  }

  @Test
  void tellsWhatTheClientsDidAsJson() throws Exception {
    var socket = path("gpio.sock");
    var result =
        serve(
            socket,
            () -> CommandRun.of("--json", "show", "unix:" + socket),
            "--json",
            "serve",
            "gpio",
            "--set",
            "3=1",
            "--socket",
            socket.toString(),
            "--once");
    assertThat(result.status()).as(result.err()).isZero();
    var json = new CommandRun(0, result.out(), result.err()).json();
    assertThat(json.get("device").asText()).isEqualTo("gpio");
    assertThat(json.get("clients").asInt()).isEqualTo(1);
    assertThat(json.get("messages").asLong()).isGreaterThan(10);
    assertThat(json.get("bytes").asLong()).isGreaterThan(16 * json.get("messages").asLong());
    assertThat(json.get("inputs").get(3).asBoolean()).isTrue();
    assertThat(json.get("inputs").get(4).asBoolean()).isFalse();
    assertThat(json.get("outputs")).hasSize(16);
  }

  @Test
  void printsOutputsAndTakesInputsAsTheyAreTyped() throws Exception {
    var socket = path("gpio.sock");
    CommandRun result;
    try (var typed = new PipedOutputStream();
        var input = new PipedInputStream(typed);
        var server =
            new RunningServer(input, "serve", "gpio", "--socket", socket.toString(), "--once")) {
      try (var device = VfioUser.open(socket);
          var ports = device.region(2).registers();
          var line = device.interrupts().enableIntx()) {
        ports.write8(0, (byte) 0x08);
        ports.write8(4, (byte) 0x01);
        ports.write8(0, (byte) 0);
        ports.read8(2); // interrupt on
        typed.write("what?\n\n 9 = 1\n".getBytes(StandardCharsets.US_ASCII));
        typed.flush();
        assertThat(line.await(Duration.ofMinutes(1))).isEqualTo(1);
        assertThat(ports.read8(5)).isEqualTo((byte) 0x02);
      }
      result = server.end();
    }
    assertThat(result.status()).isZero();
    assertThat(result.out()).startsWith("3=1\n8=1\n3=0\n");
    assertThat(result.err())
        .contains("jvfio: 'what?' is no level such as 3=1; lines are 0 to 15")
        .containsOnlyOnce("is no level");
  }

  @Test
  void servesAnEduDevice() throws Exception {
    var socket = path("edu.sock");
    var result =
        serve(
            socket,
            () -> CommandRun.of("show", "unix:" + socket),
            "serve",
            "edu",
            "--dma-bits",
            "40",
            "--mode",
            "660",
            "--socket",
            socket.toString(),
            "--once");
    assertThat(result.err()).contains("serving an EDU device with addresses of 40 bits");
    assertThat(result.out()).isEmpty();
  }

  @Test
  void givesTheSocketThePermissionsThatAreAskedFor() throws Exception {
    var socket = path("edu.sock");
    Callable<CommandRun> client =
        () -> {
          assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
              .isEqualTo("rw-rw----");
          return CommandRun.of("show", "unix:" + socket);
        };
    serve(
        socket, client, "serve", "edu", "--mode", "0660", "--socket", socket.toString(), "--once");
  }

  @Test
  void givesTheSocketToTheGroupThatIsAskedFor() throws Exception {
    var own = (int) Files.getAttribute(Files.createFile(path("file")), "unix:gid");
    // Whoever may give files to anybody shows more than one who may not.
    int group = own == 0 ? 12_345 : own;
    var socket = path("edu.sock");
    Callable<CommandRun> client =
        () -> {
          assertThat(Files.getAttribute(socket, "unix:gid")).isEqualTo(group);
          assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
              .isEqualTo("rw-rw----");
          return CommandRun.of("show", "unix:" + socket);
        };
    serve(
        socket,
        client,
        "serve",
        "edu",
        "--mode",
        "660",
        "--group",
        Integer.toString(group),
        "--socket",
        socket.toString(),
        "--once");

    var unknown =
        CommandRun.of("serve", "edu", "--group", "no such group", "--socket", socket.toString());
    assertThat(unknown.status()).isEqualTo(1);
    assertThat(unknown.err()).contains("There is no group no such group.").contains("getent group");
    assertThat(socket).doesNotExist();
  }

  @Test
  void runsOnTheProcessorsThatAreAskedFor() throws Exception {
    var before = LinuxKernel.instance().processors();
    int last = before.length() - 1;
    var socket = path("edu.sock");
    Callable<CommandRun> client =
        () -> {
          assertThat(processorsOf("vfio-user")).hasSize(3).containsOnly(Integer.toString(last));
          return CommandRun.of("show", "unix:" + socket);
        };
    String[] server = {
      "serve", "edu", "--cpus", Integer.toString(last), "--socket", socket.toString(), "--once"
    };
    serve(socket, client, server);
    assertThat(LinuxKernel.instance().processors()).isEqualTo(before);

    var missing =
        CommandRun.of("serve", "edu", "--cpus", "8000-8001", "--socket", socket.toString());
    assertThat(missing.status()).isEqualTo(1);
    assertThat(missing.err())
        .contains("this process may run on the processors " + Processors.text(before))
        .contains("none of 8000-8001 (EINVAL)");
  }

  /** The processors of all threads of this process whose name begins so, as the kernel has them. */
  private static List<String> processorsOf(String name) throws IOException {
    List<String> found = new ArrayList<>();
    try (var threads = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
      for (var thread : threads) {
        var status = Files.readString(thread.resolve("status"));
        if (status.startsWith("Name:\t" + name)) {
          found.add(status.replaceAll("(?s).*Cpus_allowed_list:\\s*(\\S+).*", "$1"));
        }
      }
    }
    return found;
  }

  @Test
  void readsProcessorsAsTasksetDoes() throws Exception {
    for (var text : new String[] {"0", "3-5", "0-3,8", "1,3,5", "7,7"}) {
      var read = new Processors.Converter().convert(text);
      assertThat(Processors.text(read)).isEqualTo(text.equals("7,7") ? "7" : text);
    }
    assertThat(Processors.text(new Processors.Converter().convert("2,0-1"))).isEqualTo("0-2");
    for (var text : new String[] {"", "a", "-1", "1-", "3-2", "1,,2", "8192", "99999999999"}) {
      assertThatThrownBy(() -> new Processors.Converter().convert(text))
          .hasMessageContaining("are no processors such as 0-3,8");
    }
  }

  @Test
  void refusesADescriptorAtWhichNobodyCanConnect() {
    var refused = CommandRun.of("serve", "edu", "--fd", "1000");
    assertThat(refused.status()).isEqualTo(1);
    assertThat(refused.err())
        .contains("descriptor 1000")
        .contains("It is not open.")
        .contains("systemd")
        .doesNotContain("serving");
    assertThat(CommandRun.of("serve", "edu", "--fd", "0").err())
        .contains("descriptor 0")
        .contains("It is ");
  }

  @Test
  void takesNoPathThatAnotherServerListensAtUnlessItIsTold() throws Exception {
    var socket = path("edu.sock");
    try (var first = VfioUserServer.serve(new EduModel(), socket)) {
      var refused = CommandRun.of("serve", "edu", "--socket", socket.toString());
      assertThat(refused.status()).isEqualTo(1);
      assertThat(refused.err())
          .contains(socket.toString())
          .contains("Another server listens there");

      serve(
          socket,
          () -> CommandRun.of("show", "unix:" + socket),
          "serve",
          "edu",
          "--replace",
          "--once",
          "--socket",
          socket.toString());
      assertThat(first.clients()).as("the first server's path is gone").isZero();
    }
  }

  @Test
  void replacesASocketThatIsLeftOver() throws Exception {
    var socket = path("edu.sock");
    UnixSocket.listen(LinuxKernel.instance(), socket.toString(), 0600).close();
    assertThat(socket).exists();
    serve(
        socket,
        () -> CommandRun.of("show", "unix:" + socket),
        "serve",
        "edu",
        "--once",
        "--socket",
        socket.toString());
  }

  @Test
  void servesAtASocketThatItInherits() throws Exception {
    var socket = path("inherited.sock");
    var listening = UnixSocket.listen(LinuxKernel.instance(), socket.toString(), 0600);
    try (var server =
        new RunningServer("serve", "edu", "--once", "--fd", Integer.toString(listening.fd()))) {
      assertThat(CommandRun.of("show", "unix:" + socket).status()).isZero();
      assertThat(server.end().status()).isZero();
    }
    assertThat(socket).as("it is its maker's").exists();
  }

  @Test
  void hasSeveralNamespacesOfBlocksOf4KiB() throws Exception {
    var socket = path("nvme.sock");
    var present = Files.write(path("present.img"), new byte[1 << 20]);
    var made = path("made.img");
    var said = new AtomicReference<CommandRun>();
    serve(
        socket,
        () -> {
          said.set(CommandRun.of("--json", "nvme", "identify", "unix:" + socket));
          return said.get();
        },
        "serve",
        "nvme",
        "--file",
        present.toString(),
        "--file",
        made.toString(),
        "--size",
        "2MiB",
        "--memory",
        "4MiB",
        "--lba",
        "4096",
        "--serial",
        "several",
        "--queues",
        "2",
        "--poll",
        "--socket",
        socket.toString(),
        "--once");
    var json = new CommandRun(0, said.get().out(), "").json();
    assertThat(json.get("controller").get("serial").asText()).isEqualTo("several");
    assertThat(json.get("namespaces"))
        .extracting(each -> each.get("bytes").asLong())
        .containsExactly(1L << 20, 2L << 20, 4L << 20);
    assertThat(json.get("namespaces"))
        .allSatisfy(each -> assertThat(each.get("blockSize").asInt()).isEqualTo(4096));
  }

  @Test
  void servesADiskThatCanBeUnplugged() throws Exception {
    var socket = path("nvme.sock");
    var said = new AtomicReference<CommandRun>();
    serve(
        socket,
        () -> {
          said.set(CommandRun.of("--json", "show", "unix:" + socket));
          return said.get();
        },
        "serve",
        "nvme",
        "--memory",
        "1MiB",
        "--msi",
        "--socket",
        socket.toString(),
        "--once");
    var json = new CommandRun(0, said.get().out(), "").json();
    assertThat(json.get("interrupts"))
        .extracting(each -> each.get("name").asText() + " " + each.get("count").asInt())
        .contains("MSI 32")
        .noneMatch(each -> each.startsWith("MSI-X") && !each.endsWith(" 0"));
  }

  @Test
  void refusesDisksThatItCannotServe() throws IOException {
    var socket = path("nvme.sock").toString();
    var odd = Files.write(path("odd.img"), new byte[1000]).toString();
    var missing = path("missing.img").toString();

    assertThat(CommandRun.of("serve", "nvme", "--socket", socket, "--file", odd).err())
        .contains("odd.img has 1,000 bytes, which is no multiple of its blocks of 512");
    var sizeless = CommandRun.of("serve", "nvme", "--socket", socket, "--file", missing);
    assertThat(sizeless.status()).isEqualTo(2);
    assertThat(sizeless.err()).contains("--size says how large it shall be");
    assertThat(path("missing.img")).doesNotExist();
    var twice =
        CommandRun.of(
            "serve",
            "nvme",
            "--socket",
            socket,
            "--size",
            "1M",
            "--file",
            missing,
            "--file",
            missing);
    assertThat(twice.status()).isEqualTo(1);
    assertThat(twice.err()).contains("missing.img: it is the disk of another controller");
    assertThat(
            CommandRun.of("serve", "nvme", "--socket", socket, "--memory", "1M", "--lba", "1024")
                .err())
        .contains("512 or 4096 bytes, not 1024");
    assertThat(
            CommandRun.of("serve", "nvme", "--socket", socket, "--memory", "1M", "--queues", "0")
                .status())
        .isEqualTo(2);
    assertThat(path("nvme.sock")).doesNotExist();
  }

  @Test
  void refusesWrongUsage() {
    assertThat(CommandRun.of("serve").err()).contains("a device is missing: nvme, gpio or edu");
    assertThat(CommandRun.of("serve").status()).isEqualTo(2);
    assertThat(CommandRun.of("serve", "nvme", "--socket", "x").err())
        .contains("a namespace is missing");
    assertThat(CommandRun.of("serve", "edu").err()).contains("a socket is missing");
    assertThat(CommandRun.of("serve", "edu", "--socket", "x", "--fd", "3").err())
        .contains("exclude");
    assertThat(CommandRun.of("serve", "edu", "--socket", "x", "--mode", "999").status())
        .isEqualTo(2);
    assertThat(CommandRun.of("serve", "edu", "--socket", "x", "--cpus", "one").status())
        .isEqualTo(2);
    assertThat(CommandRun.of("serve", "edu", "--fd", "3", "--group", "0").err())
        .contains("--group is for");
    assertThat(CommandRun.of("serve", "edu", "--socket", "x".repeat(200)).err())
        .contains("1 to 107 bytes");
    assertThat(CommandRun.of("serve", "edu", "--socket", "x", "--dma-bits", "65").err())
        .contains("--dma-bits: addresses have 1 to 64 bits, not 65");
    assertThat(CommandRun.of("serve", "gpio", "--socket", "x", "--set", "16=1").status())
        .isEqualTo(2);
  }

  @Test
  void readsNoTerminalThatIsWithAnotherProcess() {
    var status = "42 (a ) b) S 1 42 7 34816 %s 4194304 1";
    assertThat(StandardInput.isInBackground(status.formatted("42"))).isFalse();
    assertThat(StandardInput.isInBackground(status.formatted("50"))).isTrue();
    assertThat(StandardInput.isInBackground("42 (short")).isFalse();
  }
}
