// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import io.jvfio.lab.storage.ServedDisk.Way;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Rounds in which a server is killed in the middle of writes and its disk is looked at: each block
 * that was acknowledged must be there, and each block must be of one write.
 */
final class KillRounds {
  static final long BYTES = 48 << 20;
  private static final int LEAST_COMMANDS = 12;
  private static final int SPREAD_MICROS = 300_000;
  private static final int COMMANDS_BETWEEN = 400;

  private final Path directory;
  private final Survivors survivors;
  private final PrintStream out;
  private final SplittableRandom random;

  KillRounds(Path directory, Survivors survivors, long seed, PrintStream out) {
    this.directory = directory;
    this.survivors = survivors;
    this.out = out;
    random = new SplittableRandom(seed);
  }

  /** What some rounds came to. */
  record Sum(
      int rounds,
      int bad,
      long acknowledged,
      long owned,
      long interrupted,
      long largeInterrupted,
      long halves,
      long torn,
      long lost,
      long foreign) {
    static final Sum NONE = new Sum(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    Sum plus(Survivors.Found found, int large) {
      return new Sum(
          rounds + 1,
          bad + (found.isRight() ? 0 : 1),
          acknowledged + found.acknowledged(),
          owned + found.owned(),
          interrupted + found.unended(),
          largeInterrupted + large,
          halves + found.halves(),
          torn + found.torn(),
          lost + found.lost(),
          foreign + found.foreign());
    }

    Sum plus(Sum other) {
      return new Sum(
          rounds + other.rounds,
          bad + other.bad,
          acknowledged + other.acknowledged,
          owned + other.owned,
          interrupted + other.interrupted,
          largeInterrupted + other.largeInterrupted,
          halves + other.halves,
          torn + other.torn,
          lost + other.lost,
          foreign + other.foreign);
    }

    @Override
    public String toString() {
      return ("%d rounds, %,d acknowledged blocks owned %,d times; %,d writes killed, of them %,d of"
              + " 512 KiB, %,d in the middle; %d torn, %d lost, %d foreign")
          .formatted(
              rounds,
              owned,
              acknowledged,
              interrupted,
              largeInterrupted,
              halves,
              torn,
              lost,
              foreign);
    }
  }

  /** Starts a server of a disk. */
  interface Server {
    /** Starts it, with this name for what it leaves in the directory. */
    ServedDisk start(String name, Path file) throws IOException, InterruptedException;
  }

  /** Does some rounds on one disk; the disk that was found wrong is kept. */
  Sum run(Way way, int rounds) throws IOException, InterruptedException {
    var name = "kill-%d-%b-%b".formatted(way.blockSize(), way.isDirect(), way.usesRing());
    var options = new ArrayList<>(way.options());
    options.addAll(List.of("--size", Long.toString(BYTES)));
    return run(
        name,
        way.blockSize(),
        (of, file) -> ServedDisk.start(directory, of, file, options),
        rounds);
  }

  /** Does some rounds with any server. */
  Sum run(String name, int blockSize, Server server, int rounds)
      throws IOException, InterruptedException {
    var file = directory.resolve(name + ".img");
    var state = directory.resolve(name + ".state");
    var sum = Sum.NONE;
    long generation = 1;
    for (int round = 0; round < rounds; round++) {
      var written = directory.resolve(name + "-" + round + ".writes");
      int large;
      try (var disk = server.start(name, file);
          var log = WriteLog.open(written, generation)) {
        var writer =
            BlockWriter.start(disk.socket(), BlockWriter.Plan.of(random.nextLong() >>> 1), log);
        try (writer) {
          awaitInstant(writer);
          large = writer.inFlight(true);
          disk.kill();
          writer.abandon();
        }
        generation = log.next();
      }
      var found = survivors.afterKill(blockSize, file, written, state);
      sum = sum.plus(found, large);
      if (!found.isRight()) {
        out.printf("%s, round %d: %s", name, round, found.text());
        return sum; // the disk and the log stay, to be looked at
      }
      Files.delete(written);
    }
    Files.delete(file);
    Files.delete(state);
    return sum;
  }

  /** Waits for some instant at which there are large writes under way. */
  private void awaitInstant(BlockWriter writer) throws InterruptedException {
    long least = (long) LEAST_COMMANDS + random.nextInt(COMMANDS_BETWEEN);
    long begin = System.nanoTime();
    while (writer.acknowledged() < least) {
      if (System.nanoTime() - begin > 60_000_000_000L) {
        throw new IllegalStateException("nothing is written");
      }
      Thread.sleep(1);
    }
    long until = System.nanoTime() + 1000L * random.nextInt(SPREAD_MICROS);
    while (System.nanoTime() < until || writer.inFlight(true) == 0) {
      Thread.onSpinWait();
    }
  }
}
