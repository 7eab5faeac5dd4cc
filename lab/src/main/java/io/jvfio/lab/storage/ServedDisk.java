// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** A process that serves an NVMe controller on a file, and what can be seen of it from outside. */
final class ServedDisk implements AutoCloseable {
  private static final long START_NANOS = 120_000_000_000L;
  private static final long ANSWER_NANOS = 60_000_000_000L;
  private static final long LOOK_MILLIS = 3;
  private static final Pattern FIELD = Pattern.compile("(\\w+):\\s+(\\d+).*");

  private final Process process;
  private final Path socket;
  private final Path log;

  private ServedDisk(Process process, Path socket, Path log) {
    this.process = process;
    this.socket = socket;
    this.log = log;
  }

  /**
   * How a disk is served.
   *
   * @param blockSize bytes of a logical block
   * @param isDirect whether the page cache is left out
   * @param usesRing whether by {@code io_uring}, or by threads
   */
  record Way(int blockSize, boolean isDirect, boolean usesRing) {
    /** All of them. */
    static List<Way> all() {
      var ways = new ArrayList<Way>();
      for (int blockSize : new int[] {512, 4096}) {
        for (boolean isDirect : new boolean[] {false, true}) {
          for (boolean usesRing : new boolean[] {true, false}) {
            ways.add(new Way(blockSize, isDirect, usesRing));
          }
        }
      }
      return ways;
    }

    /** The options of {@code jvfio serve nvme} for it. */
    List<String> options() {
      var options = new ArrayList<>(List.of("--lba", Integer.toString(blockSize)));
      if (isDirect) {
        options.add("--direct");
      }
      options.addAll(List.of("--io", usesRing ? "auto" : "threads"));
      return options;
    }

    @Override
    public String toString() {
      return "%d-byte blocks, %s, %s"
          .formatted(
              blockSize, isDirect ? "direct" : "buffered", usesRing ? "io_uring" : "threads");
    }
  }

  /**
   * Starts {@code jvfio serve nvme}, and returns when it listens.
   *
   * @param name of its socket and its log, in a directory
   * @param options besides the file and the socket
   */
  static ServedDisk start(Path directory, String name, Path file, List<String> options)
      throws IOException, InterruptedException {
    return start(directory, name, List.of(), file, options);
  }

  /** As the other one, with what stands before the command: a tracer of its system calls. */
  static ServedDisk start(
      Path directory, String name, List<String> before, Path file, List<String> options)
      throws IOException, InterruptedException {
    var socket = directory.resolve(name + ".sock");
    var arguments = new ArrayList<>(List.of("nvme", "--file", file.toString()));
    arguments.addAll(List.of("--socket", socket.toString()));
    arguments.addAll(options);
    var command = new ArrayList<>(before);
    command.addAll(Programs.server(arguments));
    return start(command, socket, directory.resolve(name + ".log"));
  }

  /** Starts any command that serves at a socket, and returns when it listens. */
  static ServedDisk start(List<String> command, Path socket, Path log)
      throws IOException, InterruptedException {
    Files.deleteIfExists(log);
    var process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    var disk = new ServedDisk(process, socket, log);
    long begin = System.nanoTime();
    while (!disk.says("jvfio: serving")) {
      if (!process.isAlive() || System.nanoTime() - begin > START_NANOS) {
        disk.close();
        throw new IllegalStateException("the server does not listen: " + disk.text());
      }
      Thread.sleep(LOOK_MILLIS);
    }
    return disk;
  }

  Path socket() {
    return socket;
  }

  long processId() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** All that it has said. */
  String text() throws IOException {
    return Files.exists(log) ? Files.readString(log, StandardCharsets.UTF_8) : "";
  }

  boolean says(String words) throws IOException {
    return text().contains(words);
  }

  /** Waits until it says something. */
  void awaitSaying(String words, long millis) throws IOException, InterruptedException {
    long begin = System.nanoTime();
    while (!says(words)) {
      if (System.nanoTime() - begin > millis * 1_000_000) {
        throw new IllegalStateException("it does not say '%s': %s".formatted(words, text()));
      }
      Thread.sleep(LOOK_MILLIS);
    }
  }

  /** Ends it at once, in the middle of whatever it does; returns when it has ended. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    if (!process.waitFor(2, TimeUnit.MINUTES)) {
      throw new IllegalStateException("a killed server does not end");
    }
  }

  /** Has it end in order (SIGTERM); does not wait for that. */
  void terminate() {
    process.destroy();
  }

  /**
   * Gives it a line on its standard input, and waits until it has done that; returns its answer.
   */
  String tell(String line) throws IOException, InterruptedException {
    var done = "done: " + line;
    long before = answers(done).size();
    var input = process.getOutputStream();
    input.write((line + "\n").getBytes(StandardCharsets.UTF_8));
    input.flush();
    long begin = System.nanoTime();
    while (true) {
      var answers = answers(done);
      if (answers.size() > before) {
        return answers.getLast();
      }
      if (System.nanoTime() - begin > ANSWER_NANOS) {
        throw new IllegalStateException("it does not do '%s': %s".formatted(line, text()));
      }
      Thread.sleep(LOOK_MILLIS);
    }
  }

  private List<String> answers(String done) throws IOException {
    var text = text();
    // The last line may be there in part.
    return text.substring(0, text.lastIndexOf('\n') + 1)
        .lines()
        .filter(line -> line.startsWith(done))
        .toList();
  }

  /** Closes its standard input. */
  void endInput() throws IOException {
    process.getOutputStream().close();
  }

  /** Waits for its end; false if it does not come. */
  boolean awaitEnd(long millis) throws InterruptedException {
    return process.waitFor(millis, TimeUnit.MILLISECONDS);
  }

  /** Its exit status. */
  int status() {
    return process.exitValue();
  }

  /**
   * What a process has.
   *
   * @param threads those of the process; the kernel's own, which do what {@code io_uring} cannot do
   *     at once, come and go as the kernel likes
   * @param resident kibibytes of memory that are there
   * @param anonymous those of them that are no file's
   * @param shared those of them that are in memory files, as its clients' memory is
   */
  record Footprint(
      int descriptors, int threads, int maps, long resident, long anonymous, long shared) {
    @Override
    public String toString() {
      return "%d descriptors, %d threads, %d maps, %,d KiB (%,d KiB anonymous, %,d KiB shared)"
          .formatted(descriptors, threads, maps, resident, anonymous, shared);
    }
  }

  Footprint footprint() throws IOException {
    return footprint(process.pid());
  }

  /** What a process has at the moment. */
  static Footprint footprint(long processId) throws IOException {
    var place = Path.of("/proc", Long.toString(processId));
    int descriptors;
    try (var files = Files.list(place.resolve("fd"))) {
      descriptors = (int) files.count();
    }
    int maps = Files.readAllLines(place.resolve("maps")).size();
    var status = Files.readString(place.resolve("status"));
    return new Footprint(
        descriptors,
        (int) threadNames(processId).stream().filter(name -> !name.startsWith("iou-")).count(),
        maps,
        field(status, "VmRSS"),
        field(status, "RssAnon"),
        field(status, "RssShmem"));
  }

  /** The names of its threads. */
  List<String> threadNames() throws IOException {
    return threadNames(process.pid());
  }

  private static List<String> threadNames(long processId) throws IOException {
    var names = new ArrayList<String>();
    try (var tasks = Files.list(Path.of("/proc", Long.toString(processId), "task"))) {
      for (var task : tasks.toList()) {
        try {
          names.add(Files.readString(task.resolve("comm")).strip());
        } catch (NoSuchFileException _) {
          // It has ended since it was listed.
        }
      }
    }
    names.sort(null);
    return names;
  }

  private static long field(String text, String name) {
    return text.lines()
        .map(FIELD::matcher)
        .filter(line -> line.matches() && line.group(1).equals(name))
        .mapToLong(line -> Long.parseLong(line.group(2)))
        .findFirst()
        .orElseThrow();
  }

  @Override
  public void close() {
    try {
      kill();
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }
}
