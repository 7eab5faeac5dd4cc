package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServeCommandTest {
  @TempDir private @Nullable Path directory;

  private Path path(String name) {
    return Objects.requireNonNull(directory).resolve(name);
  }

  private record Result(int status, String out, String err) {}

  private static Result run(String... args) {
    var out = new StringWriter();
    var err = new StringWriter();
    int status = Main.run(new PrintWriter(out), new PrintWriter(err), args);
    return new Result(status, out.toString(), err.toString());
  }

  private static void await(Path socket) throws InterruptedException {
    long start = System.nanoTime();
    while (!Files.exists(socket) && System.nanoTime() - start < TimeUnit.MINUTES.toNanos(1)) {
      Thread.sleep(5);
    }
    assertThat(socket).exists();
  }

  /** What the server's command said, and what {@code client} said meanwhile. */
  private Result serve(Path socket, Callable<Result> client, String... args) throws Exception {
    try (var executor = Executors.newSingleThreadExecutor()) {
      var server = executor.submit(() -> run(args));
      await(socket);
      var said = client.call();
      assertThat(said.status()).as(said.err()).isZero();
      var result = server.get(1, TimeUnit.MINUTES);
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
    var result = serve(socket, () -> run("nvme", "verify", device, "--size", "1M"), server);
    assertThat(result.status()).as(result.err()).isZero();
    assertThat(result.err())
        .contains("serving an NVMe controller of serial jvfio0 at " + socket)
        .contains("a client is here")
        .contains("It closed the connection.");
    assertThat(Files.size(disk)).isEqualTo(8 << 20);

    var again = serve(socket, () -> run("nvme", "identify", device), server);
    assertThat(again.status()).isZero();
  }

  @Test
  void tellsWhatTheClientsDidAsJson() throws Exception {
    var socket = path("gpio.sock");
    var result =
        serve(
            socket,
            () -> run("--json", "show", "unix:" + socket),
            "--json",
            "serve",
            "gpio",
            "--set",
            "3=1",
            "--socket",
            socket.toString(),
            "--once");
    assertThat(result.status()).as(result.err()).isZero();
    assertThat(result.out().replace(" ", ""))
        .contains("\"device\":\"gpio\"")
        .contains("\"clients\":1");
  }

  @Test
  void refusesWrongUsage() {
    assertThat(run("serve").status()).isEqualTo(2);
    assertThat(run("serve", "nvme", "--socket", "x").err()).contains("a namespace is missing");
    assertThat(run("serve", "edu").err()).contains("a socket is missing");
    assertThat(run("serve", "edu", "--socket", "x", "--mode", "999").status()).isEqualTo(2);
    assertThat(run("serve", "edu", "--socket", "x".repeat(200)).err()).contains("1 to 107 bytes");
    assertThat(run("serve", "gpio", "--socket", "x", "--set", "16=1").status()).isEqualTo(2);
  }
}
