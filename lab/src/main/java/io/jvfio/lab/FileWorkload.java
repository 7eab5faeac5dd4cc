// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Files of known content on a file system whose disk is under test.
 *
 * <p>{@code FileWorkload write DIRECTORY MIB} writes files of 64 MiB or less, so many MiB in all,
 * and prints a line of each when it is flushed. {@code FileWorkload check DIRECTORY OUTPUT} reads
 * the files of which such an output tells, in the same guest, in another, or outside of it.
 *
 * <p>{@code FileWorkload endless DIRECTORY} writes and flushes files of 256 KiB until the kernel
 * refuses one; it prints how, and exits with status 3.
 */
public final class FileWorkload {
  private static final int LARGEST_BLOCKS = (64 << 20) / WorkloadPlan.BLOCK;
  private static final int SMALL_BLOCKS = (256 << 10) / WorkloadPlan.BLOCK;
  private static final int BLOCKS_PER_MIB = (1 << 20) / WorkloadPlan.BLOCK;
  private static final int ENDED = 3;
  private static final Pattern LINE =
      Pattern.compile("file (\\w+) seed (\\d+) blocks (\\d+) checksum (\\p{XDigit}{16})");

  private final Path directory;
  private final PrintStream out;
  private final MemorySegment memory;
  private final ByteBuffer buffer;

  private FileWorkload(Path directory, PrintStream out) {
    this.directory = directory;
    this.out = out;
    memory = Arena.ofAuto().allocate(1 << 20, 4096);
    buffer = memory.asByteBuffer();
  }

  /** The program. */
  public static void main(String[] arguments) throws IOException {
    int status =
        switch (arguments.length > 1 ? arguments[0] : "") {
          case "write" ->
              write(Path.of(arguments[1]), Integer.parseInt(arguments[2]), System.out) ? 0 : 1;
          case "check" -> check(Path.of(arguments[1]), Path.of(arguments[2]), System.out) ? 0 : 1;
          case "endless" -> {
            endless(Path.of(arguments[1]), System.out);
            yield ENDED;
          }
          default -> {
            System.err.println("usage: FileWorkload write DIRECTORY MIB");
            System.err.println("       FileWorkload check DIRECTORY OUTPUT");
            System.err.println("       FileWorkload endless DIRECTORY");
            yield 2;
          }
        };
    System.exit(status);
  }

  /** Writes; true when all that was asked for has been written. */
  static boolean write(Path directory, int mebibytes, PrintStream out) throws IOException {
    long begin = System.nanoTime();
    var workload = new FileWorkload(directory, out);
    long sum = 0;
    int number = 0;
    for (int rest = mebibytes * BLOCKS_PER_MIB; rest > 0; rest -= LARGEST_BLOCKS) {
      sum += workload.write(number++, Math.min(rest, LARGEST_BLOCKS));
    }
    out.println("files " + number);
    out.printf("checksum %016x%n", sum);
    out.println("milliseconds " + (System.nanoTime() - begin) / 1_000_000);
    return true;
  }

  /** Writes until it fails. */
  static void endless(Path directory, PrintStream out) {
    var workload = new FileWorkload(directory, out);
    long begin = System.nanoTime();
    try {
      for (int number = 0; ; number++) {
        begin = System.nanoTime();
        workload.write(number, SMALL_BLOCKS);
      }
    } catch (IOException e) {
      out.println("ended-after-ms " + (System.nanoTime() - begin) / 1_000_000);
      out.println("ended-by " + e);
    }
  }

  private long write(int number, int blocks) throws IOException {
    var plan = new WorkloadPlan(number + 1, 0, blocks);
    long sum = 0;
    try (var channel =
        FileChannel.open(
            directory.resolve("file" + number),
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      for (int block = 0; block < blocks; block += WorkloadPlan.LARGEST) {
        int count = Math.min(WorkloadPlan.LARGEST, blocks - block);
        sum += plan.fill(memory, 0, block, count);
        buffer.clear().limit(count * WorkloadPlan.BLOCK);
        while (buffer.hasRemaining()) {
          channel.write(buffer);
        }
      }
      channel.force(true);
    }
    // A new name is not durable by its file's flush alone.
    try (var names = FileChannel.open(directory, StandardOpenOption.READ)) {
      names.force(true);
    }
    out.printf("file file%d seed %d blocks %d checksum %016x%n", number, plan.seed(), blocks, sum);
    out.flush();
    return sum;
  }

  /**
   * Reads the files of which an output tells; true when there are some and all are as they were.
   */
  static boolean check(Path directory, Path output, PrintStream out) throws IOException {
    long begin = System.nanoTime();
    var workload = new FileWorkload(directory, out);
    long sum = 0;
    int files = 0;
    int different = 0;
    // What was going to be written when the machine or its disk stopped has no whole line.
    for (var line : Files.readAllLines(output)) {
      var file = LINE.matcher(line);
      if (!file.matches()) {
        continue;
      }
      files++;
      var plan =
          new WorkloadPlan(Long.parseLong(file.group(2)), 0, Integer.parseInt(file.group(3)));
      var found = workload.read(directory.resolve(file.group(1)), plan);
      for (var difference : found.differences()) {
        out.printf("different %s: %s%n", file.group(1), difference);
        different++;
      }
      sum += found.checksum();
    }
    out.println("files " + files);
    out.println("files-different " + different);
    out.printf("checksum %016x%n", sum);
    out.println("milliseconds " + (System.nanoTime() - begin) / 1_000_000);
    return files > 0 && different == 0;
  }

  /** What a file holds: its checksum, and how it differs from what it should hold, if it does. */
  private record Found(long checksum, List<String> differences) {}

  private Found read(Path file, WorkloadPlan plan) {
    long sum = 0;
    try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long length = (long) plan.blockCount() * WorkloadPlan.BLOCK;
      if (channel.size() != length) {
        return new Found(0, List.of("%d bytes, not %d".formatted(channel.size(), length)));
      }
      int difference = -1;
      for (int block = 0; block < plan.blockCount(); block += WorkloadPlan.LARGEST) {
        int count = Math.min(WorkloadPlan.LARGEST, plan.blockCount() - block);
        buffer.clear().limit(count * WorkloadPlan.BLOCK);
        while (buffer.hasRemaining()) {
          if (channel.read(buffer) < 0) {
            return new Found(0, List.of("ends early"));
          }
        }
        sum += WorkloadPlan.checksum(memory, 0, count);
        if (difference < 0) {
          difference = plan.firstDifference(memory, 0, block, count);
        }
      }
      return new Found(sum, difference < 0 ? List.of() : List.of("from block " + difference));
    } catch (IOException e) {
      return new Found(0, List.of(e.toString()));
    }
  }
}
