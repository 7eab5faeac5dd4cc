package io.jvfio.lab.storage;

import io.jvfio.lab.storage.ServedDisk.Way;
import java.nio.file.Files;
import java.nio.file.Path;

/** dev */
public final class StorageLab {
  private StorageLab() {}

  /** The program. */
  public static void main(String[] arguments) throws Exception {
    var directory = Files.createDirectories(Path.of(arguments[1]));
    var c = Path.of(arguments[2]);
    var survivors = new Survivors(Survivors.compile(c.resolve("survivors.c"), directory));
    var cut = Survivors.compile(c.resolve("powercut.c"), directory);
    int rounds = Integer.parseInt(arguments[3]);
    var lane = new Lane(System.out, arguments.length > 4 ? arguments[4] : "");
    switch (arguments[0]) {
      case "full" -> new FullDisk(directory, survivors, cut).run(lane);
      case "soak" -> new Soak(directory, survivors, System.nanoTime()).run(lane, rounds);
      case "slow" -> new SlowDisk(directory, survivors).run(lane, rounds);
      case "memory" -> new Residence(directory).run(lane, rounds);
      case "flush" -> new FlushProof(directory, survivors, cut, System.nanoTime()).run(lane, rounds);
      default -> {
    var sum = KillRounds.Sum.NONE;
    var kill = new KillRounds(directory, survivors, System.nanoTime(), System.out);
    for (var way : Way.all()) {
      long begin = System.nanoTime();
      var part = kill.run(way, rounds);
      System.out.printf("%s: %s (%.1f s)%n", way, part, (System.nanoTime() - begin) / 1e9);
      sum = sum.plus(part);
    }
    System.out.println(sum);
      }
    }
    lane.end();
  }
}
