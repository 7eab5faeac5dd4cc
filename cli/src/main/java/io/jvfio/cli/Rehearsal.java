// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;

/**
 * Runs what jvfio can do once, all in one JVM that writes down which classes it takes: the archive
 * that is made of that (JEP 483) has those of every command. The build starts it; it prints
 * nothing.
 */
final class Rehearsal {
  private static final String DEVICE = "0000:00:00.0";
  private static final List<String> BENCH = List.of("--time", "1s", "--warmup", "0s");

  private Rehearsal() {}

  /** Runs the rehearsal; ends with status 1 where a command does not do what it should. */
  public static void main(String[] args) throws IOException, InterruptedException {
    Main.configureLog();
    run("--help");
    run("--version");
    run("hosts");
    run("demo");
    simulated("list");
    simulated("--json", "list");
    simulated("topology", "--svg", "-");
    simulated("doctor");
    simulated("probe");
    simulated("show", DEVICE);
    simulated("iova", DEVICE, "--map", "64KiB", "--svg", "-");
    simulated("nvme", "identify", DEVICE);
    simulated("nvme", "smart", DEVICE);
    simulated("nvme", "verify", DEVICE, "--size", "64KiB", "--overwrite");
    run(
        Stream.concat(
            Stream.of("--host", "sim:x86-6.12", "nvme", "bench", "0000:00:01.0"), BENCH.stream()));
    run("user", "conform", "--list");
    record();
    serve();
    System.exit(0); // whatever threads a command has left
  }

  /** Records a host, and asks the recording. */
  private static void record() throws IOException {
    var file = Files.createTempFile("jvfio", ".json");
    Files.delete(file); // record-host makes it
    simulated("record-host", file.toString());
    run("--host", "file:" + file, "probe");
    Files.delete(file);
  }

  /** Serves a disk to a client in the same JVM. */
  private static void serve() throws IOException, InterruptedException {
    var directory = Files.createTempDirectory("jvfio");
    var socket = directory.resolve("socket");
    var served = new CountDownLatch(1);
    var server =
        Thread.ofPlatform()
            .start(
                () ->
                    run(
                        new Told("jvfio: serving", served),
                        List.of(
                            "serve",
                            "nvme",
                            "--memory",
                            "16M",
                            "--once",
                            "--socket",
                            socket.toString())));
    served.await();
    run(Stream.concat(Stream.of("nvme", "bench", "unix:" + socket), BENCH.stream()));
    server.join();
    Files.delete(directory);
  }

  private static void simulated(String... args) {
    run(Stream.concat(Stream.of("--host", "sim:pseries-5.10"), Stream.of(args)));
  }

  private static void run(String... args) {
    run(Stream.of(args));
  }

  private static void run(Stream<String> args) {
    run(new StringWriter(), args.toList());
  }

  private static void run(Writer err, List<String> args) {
    int status =
        Main.run(
            new PrintWriter(Writer.nullWriter()),
            new PrintWriter(err),
            args.toArray(String[]::new));
    if (status != 0) {
      System.err.printf("jvfio %s: status %d%n%s", String.join(" ", args), status, err);
      System.exit(1);
    }
  }

  /** Keeps what is said, and tells when that begins with certain words. */
  private static final class Told extends StringWriter {
    private final String words;
    private final CountDownLatch told;

    Told(String words, CountDownLatch told) {
      this.words = words;
      this.told = told;
    }

    @Override
    public void write(String text, int offset, int length) {
      super.write(text, offset, length);
      if (toString().startsWith(words)) {
        told.countDown();
      }
    }
  }
}
