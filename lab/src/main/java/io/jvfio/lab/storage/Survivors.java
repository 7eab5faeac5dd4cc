// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The checker of a disk against a {@link WriteLog}: a program in C, which knows nothing of jvfio.
 *
 * @param program {@code src/main/c/survivors.c}, compiled
 */
record Survivors(Path program) {
  /** Compiles a program of {@code src/main/c} into a directory. */
  static Path compile(Path source, Path directory) throws IOException, InterruptedException {
    var name = source.getFileName().toString();
    var program = directory.resolve(name.substring(0, name.length() - ".c".length()));
    Programs.demand(
        "gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program.toString(), source.toString());
    return program;
  }

  /**
   * What was found.
   *
   * @param owned blocks of which an acknowledged write tells what they must be
   * @param halves writes that were not acknowledged and are there in part: the end came within them
   * @param older blocks of an earlier write than the last one that was acknowledged
   * @param text all that the program printed
   */
  record Found(
      boolean isRight,
      long writes,
      long acknowledged,
      long flushed,
      long owned,
      long unended,
      long halves,
      long older,
      long torn,
      long lost,
      long foreign,
      String text) {}

  /** After a server was killed; what each block was found to be is kept in {@code state}. */
  Found afterKill(int blockSize, Path disk, Path log, Path state)
      throws IOException, InterruptedException {
    return check(List.of("--state", state.toString()), blockSize, disk, log);
  }

  /** After all has ended well, or a server was killed. */
  Found check(int blockSize, Path disk, Path log) throws IOException, InterruptedException {
    return check(List.of(), blockSize, disk, log);
  }

  /** After power was lost: only what was flushed must be there. */
  Found afterPowerLoss(int blockSize, Path disk, Path log)
      throws IOException, InterruptedException {
    return check(List.of("--power"), blockSize, disk, log);
  }

  private Found check(List<String> options, int blockSize, Path disk, Path log)
      throws IOException, InterruptedException {
    var command = new ArrayList<>(List.of(program.toString()));
    command.addAll(options);
    command.addAll(List.of(Integer.toString(blockSize), disk.toString(), log.toString()));
    var ended = Programs.run(command);
    if (ended.status() > 1) {
      throw new IllegalStateException("no answer of the checker: " + ended.text());
    }
    return new Found(
        ended.isGood(),
        ended.number("writes"),
        ended.number("acknowledged"),
        ended.number("flushed"),
        ended.number("owned"),
        ended.number("unended"),
        ended.number("halves"),
        ended.number("older"),
        ended.number("torn"),
        ended.number("lost"),
        ended.number("foreign"),
        ended.text());
  }
}
