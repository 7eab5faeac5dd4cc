// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import io.jvfio.lab.storage.ServedDisk.Way;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Runs the proofs of a disk in a file, as processes on real file systems. Which one, and how long,
 * is said by arguments; see {@code lab/storage}.
 */
public final class StorageLab {
  private static final String USAGE =
      "usage: lab/storage kill|full|flush|slow|memory|soak [--rounds N] [--minutes N] [--only TEXT]"
          + " [--directory DIR] [--seed N]";

  private final Path directory;
  private final Survivors survivors;
  private final Path powerCut;
  private final Lane lane;
  private final long seed;

  private StorageLab(Path sources, Path directory, Lane lane, long seed)
      throws IOException, InterruptedException {
    this.directory = directory;
    this.lane = lane;
    this.seed = seed;
    survivors = new Survivors(Survivors.compile(sources.resolve("survivors.c"), directory));
    powerCut = Survivors.compile(sources.resolve("powercut.c"), directory);
  }

  /**
   * The program.
   *
   * @param arguments where the checkers' sources are, what to prove, and options
   */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    if (arguments.length < 2 || arguments.length % 2 != 0) {
      fail("");
    }
    int rounds = 0;
    int minutes = 10;
    long seed = System.nanoTime();
    var only = "";
    var directory = Path.of("");
    for (int i = 2; i < arguments.length; i += 2) {
      var value = arguments[i + 1];
      switch (arguments[i]) {
        case "--rounds" -> rounds = Integer.parseInt(value);
        case "--minutes" -> minutes = Integer.parseInt(value);
        case "--seed" -> seed = Long.parseLong(value);
        case "--only" -> only = value;
        case "--directory" -> directory = Files.createDirectories(Path.of(value));
        default -> fail(arguments[i] + " is no option");
      }
    }
    if (directory.toString().isEmpty()) {
      directory = Files.createTempDirectory("jvfio-storage");
    }
    System.out.printf("in %s, seed %d%n", directory, seed);
    var lane = new Lane(System.out, only);
    var lab = new StorageLab(Path.of(arguments[0]), directory, lane, seed);
    switch (arguments[1]) {
      case "kill" -> lab.kill(rounds == 0 ? 200 : rounds);
      case "full" -> new FullDisk(directory, lab.survivors, lab.powerCut).run(lane);
      case "flush" ->
          new FlushProof(directory, lab.survivors, lab.powerCut, seed)
              .run(lane, rounds == 0 ? 10 : rounds);
      case "slow" -> new SlowDisk(directory, lab.survivors).run(lane, 60);
      case "memory" -> new Residence(directory).run(lane, 60);
      case "soak" -> new Soak(directory, lab.survivors, seed, false).run(lane, 60L * minutes);
      default -> fail(arguments[1] + " is none of kill, full, flush, slow, memory and soak");
    }
    System.exit(lane.end() ? 0 : 1);
  }

  private static void fail(String why) {
    System.err.println(why.isEmpty() ? USAGE : why + System.lineSeparator() + USAGE);
    System.exit(2);
  }

  /** So many rounds in all, spread over the ways to serve a file. */
  private void kill(int rounds) throws InterruptedException {
    var kill = new KillRounds(directory, survivors, seed, System.out);
    int ways = Way.all().size();
    for (var way : Way.all()) {
      lane.step(
          "kill -9: " + way,
          () -> {
            var sum = kill.run(way, (rounds + ways - 1) / ways);
            Lane.require(sum.bad() == 0 && sum.owned() > 0, sum.toString());
            return sum.toString();
          });
    }
  }
}
