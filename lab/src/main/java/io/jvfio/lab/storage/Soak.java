package io.jvfio.lab.storage;

import static io.jvfio.lab.storage.Lane.require;
import static io.jvfio.lab.storage.Lane.requireStatus;

import io.jvfio.lab.storage.ServedDisk.Footprint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * A server whose disk fails now and then, with clients that die, reset the device, leave in the
 * middle, or end in order. In the end it must have what it had in the beginning, and the disk what
 * was acknowledged.
 */
final class Soak {
  private static final long DISK_BYTES = 32 << 20;

  /** How many calls there are for each that fails. */
  private static final int ONE_IN = 150;

  /** Kibibytes that the server may have grown by. */
  private static final long GROWTH = 24 << 10;

  /** More than a client uses before it is killed. */
  private static final long GENERATIONS = 1 << 30;

  private static final long SETTLE_MILLIS = 30_000;

  /** What an injected errno may become. */
  private static final Set<Integer> STATUSES =
      Set.of(
          DiskClient.CAPACITY_EXCEEDED, DiskClient.WRITE_FAULT, DiskClient.UNRECOVERED_READ_ERROR);

  private static final String[] HEAP = {
    "-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch", "-XX:-UseDynamicNumberOfCompilerThreads"
  };

  private final Path directory;
  private final Survivors survivors;
  private final SplittableRandom random;

  Soak(Path directory, Survivors survivors, long seed) {
    this.directory = directory;
    this.survivors = survivors;
    random = new SplittableRandom(seed);
  }

  /** Runs for so long, half of it by {@code io_uring}, the other half by threads. */
  void run(Lane lane, long seconds) throws InterruptedException {
    for (boolean usesRing : new boolean[] {true, false}) {
      int blockSize = usesRing ? 512 : 4096;
      lane.step(
          "soak, %s, %d-byte blocks".formatted(usesRing ? "io_uring" : "threads", blockSize),
          () -> run(usesRing, blockSize, seconds / 2));
    }
  }

  private String run(boolean usesRing, int blockSize, long seconds)
      throws IOException, InterruptedException {
    var file = directory.resolve("soak.img");
    var state = directory.resolve("soak.state");
    var written = directory.resolve("soak.writes");
    var socket = directory.resolve("soak.sock");
    Files.deleteIfExists(file);
    Files.deleteIfExists(state);
    var command =
        Programs.lab(
            FaultyServer.class,
            List.of(HEAP),
            List.of(
                socket.toString(),
                file.toString(),
                Long.toString(DISK_BYTES),
                Integer.toString(blockSize),
                Boolean.toString(usesRing),
                Integer.toString(ONE_IN),
                Long.toString(random.nextLong())));
    var errors = new TreeMap<Integer, Integer>();
    long acknowledged = 0;
    int clients = 0;
    Footprint first = null;
    Footprint last;
    try (var disk = ServedDisk.start(command, socket, directory.resolve("soak.log"))) {
      long begin = System.nanoTime();
      long legNanos = Math.max(seconds / 6, 5) * 1_000_000_000L;
      var bare = disk.footprint();
      long generation = 1;
      do {
        Files.deleteIfExists(written);
        long legBegin = System.nanoTime();
        // The log of a leg goes on with the generations of the one before.
        try (var log = WriteLog.open(written, generation)) {
          do {
            for (int kind = 0; kind < 5; kind++) {
              clients++;
              client(kind, disk, written, log, errors);
            }
          } while (System.nanoTime() - legBegin < legNanos);
          log.noEnd();
          generation = log.next();
        }
        var found = survivors.afterKill(blockSize, file, written, state);
        require(found.isRight(), found.text());
        acknowledged += found.acknowledged();
        if (first == null) {
          first = settled(disk, bare, Long.MAX_VALUE);
        }
      } while (System.nanoTime() - begin < seconds * 1_000_000_000L);
      last = settled(disk, first, first.resident() + GROWTH);
      breakSync(disk, written, generation);
      disk.endInput();
      require(disk.awaitEnd(20_000), "it does not end: " + disk.text());
      require(disk.says("ended in order"), disk.text());
      require(
          STATUSES.containsAll(errors.keySet()), "other statuses than were injected: " + errors);
      return "%d clients, %,d acknowledged blocks, statuses %s; first %s; last %s; %s"
          .formatted(
              clients,
              acknowledged,
              hexadecimal(errors),
              first,
              last,
              disk.text().lines().filter(it -> it.startsWith("faults ")).toList());
    }
  }

  private static List<String> hexadecimal(Map<Integer, Integer> errors) {
    var all = new ArrayList<String>();
    errors.forEach((status, count) -> all.add("%#x: %,d".formatted(status, count)));
    return all;
  }

  /** A client that comes, works a little, and goes. */
  private void client(
      int kind, ServedDisk disk, Path written, WriteLog log, Map<Integer, Integer> errors)
      throws IOException, InterruptedException {
    if (kind == 0) {
      killedClient(disk, written, log);
      return;
    }
    var plan = BlockWriter.Plan.of(random.nextLong() >>> 1).withReads(30);
    var writer = BlockWriter.start(disk.socket(), plan, log);
    try {
      Thread.sleep(100 + random.nextInt(900));
      switch (kind) {
        case 1 -> writer.finish();
        case 2 -> writer.stopController();
        case 3 -> writer.resetDevice();
        default -> writer.leave();
      }
      writer.errors().forEach((status, count) -> errors.merge(status, count, Integer::sum));
    } finally {
      writer.close();
    }
  }

  /** It is a process of its own, and has generations of its own. */
  private void killedClient(ServedDisk disk, Path written, WriteLog log)
      throws IOException, InterruptedException {
    var command =
        Programs.lab(
            SoakClient.class,
            List.of(),
            List.of(
                disk.socket().toString(),
                written.toString(),
                Long.toString(log.setAside(GENERATIONS)),
                Long.toString(random.nextLong() >>> 1)));
    var said = directory.resolve("soak-client.log");
    var process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
    long begin = System.nanoTime();
    while (!Files.readString(said).contains("writing")) {
      if (!process.isAlive() || System.nanoTime() - begin > 60_000_000_000L) {
        throw new IllegalStateException("a client does not write: " + Files.readString(said));
      }
      Thread.sleep(5);
    }
    Thread.sleep(50 + random.nextInt(1000));
    require(process.isAlive(), "a client ended by itself: " + Files.readString(said));
    process.destroyForcibly().waitFor();
  }

  /** Waits until the server has as much as before, as threads of the kernel's go after a while. */
  private static Footprint settled(ServedDisk disk, Footprint before, long mostResident)
      throws IOException, InterruptedException {
    long begin = System.nanoTime();
    while (true) {
      var now = disk.footprint();
      boolean isBack =
          now.descriptors() <= before.descriptors()
              && now.threads() <= before.threads()
              && (now.maps() <= before.maps() || mostResident == Long.MAX_VALUE)
              && now.resident() <= mostResident;
      if (isBack) {
        return now;
      }
      if (System.nanoTime() - begin > SETTLE_MILLIS * 1_000_000) {
        throw new IllegalStateException(
            "it has %s, and had %s; threads %s".formatted(now, before, disk.threadNames()));
      }
      Thread.sleep(100);
    }
  }

  /** What cannot be made persistent is told from then on, and nothing else is the worse for it. */
  private static void breakSync(ServedDisk disk, Path written, long generation)
      throws IOException, InterruptedException {
    disk.tell("break-sync");
    try (var log = WriteLog.open(written, generation);
        var client = DiskClient.open(disk.socket(), log)) {
      int fault = DiskClient.WRITE_FAULT | DiskClient.DO_NOT_RETRY;
      for (int i = 0; i < 10; i++) {
        requireStatus(client.flush(), fault, "Flush");
      }
      requireStatus(client.write(0, 1, true), fault, "Write with FUA");
      client.readRegister();
    }
  }
}
