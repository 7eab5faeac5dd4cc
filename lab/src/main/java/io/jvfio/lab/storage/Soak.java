// SPDX-License-Identifier: Apache-2.0
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
import java.util.function.ToLongFunction;

/**
 * A server whose disk fails now and then, with clients that die, reset the device, leave in the
 * middle, or end in order. In the end it must have what it had in the beginning, and the disk what
 * was acknowledged.
 */
final class Soak {
  private static final long DISK_BYTES = 32 << 20;

  /** How many calls there are for each that fails. */
  private static final int ONE_IN = 150;

  /** More than a client uses before it is killed. */
  private static final long GENERATIONS = 1 << 30;

  private static final long SETTLE_MILLIS = 30_000;

  /** What an injected errno may become. */
  private static final Set<Integer> STATUSES =
      Set.of(
          DiskClient.CAPACITY_EXCEEDED, DiskClient.WRITE_FAULT, DiskClient.UNRECOVERED_READ_ERROR);

  /** A heap that is there from the beginning cannot be what the server grows by. */
  private static final List<String> OPTIONS =
      List.of(
          "-Xms64m",
          "-Xmx64m",
          "-XX:+AlwaysPreTouch",
          "-XX:-UseDynamicNumberOfCompilerThreads",
          "-XX:NativeMemoryTracking=summary");

  /** Nanoseconds of the shortest leg, and how many legs there are in each half. */
  private static final long LEAST_LEG = 5_000_000_000L;

  private static final int LEGS = 6;

  private final Path directory;
  private final Survivors survivors;
  private final SplittableRandom random;

  /** Milliseconds that a client is there, at most. */
  private final int stay;

  private final boolean isShort;

  /**
   * Prepares it.
   *
   * @param isShort whether it is made sure only that the server is in order, and has no more in the
   *     end than after its first clients
   */
  Soak(Path directory, Survivors survivors, long seed, boolean isShort) {
    this.directory = directory;
    this.survivors = survivors;
    this.isShort = isShort;
    stay = isShort ? 200 : 1000;
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

  /** One half; returns its figures. */
  String run(boolean usesRing, int blockSize, long seconds)
      throws IOException, InterruptedException {
    var file = directory.resolve("soak.img");
    var state = directory.resolve("soak.state");
    var written = directory.resolve("soak.writes");
    var socket = directory.resolve("soak.sock");
    Files.deleteIfExists(file);
    Files.deleteIfExists(state);
    var command =
        FaultyServer.command(
            OPTIONS, socket, file, DISK_BYTES, blockSize, usesRing, ONE_IN, random.nextLong());
    var errors = new TreeMap<Integer, Integer>();
    var looks = new ArrayList<Look>();
    long acknowledged = 0;
    int clients = 0;
    try (var disk = ServedDisk.start(command, socket, directory.resolve("soak.log"))) {
      long begin = System.nanoTime();
      long legNanos = isShort ? 0 : Math.max(seconds * 1_000_000_000L / (2 * LEGS), LEAST_LEG);
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
        looks.add(look(disk, bare, clients));
      } while (looks.size() < 2 || System.nanoTime() - begin < seconds * 1_000_000_000L);
      requireNoGrowth(looks);
      breakSync(disk, written, generation);
      disk.endInput();
      require(disk.awaitEnd(20_000), "it does not end: " + disk.text());
      require(disk.says("its end says:") && disk.says("the last fdatasync failed"), disk.text());
      require(disk.says("ended in order"), disk.text());
      require(
          STATUSES.containsAll(errors.keySet()), "other statuses than were injected: " + errors);
      return "%d clients, %,d acknowledged blocks, statuses %s, %s; %s%n%s"
          .formatted(
              clients,
              acknowledged,
              hexadecimal(errors),
              disk.text().lines().filter(it -> it.startsWith("faults ")).toList(),
              bare,
              told(looks));
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
      Thread.sleep(stay / 10 + random.nextInt(stay));
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
    Thread.sleep(stay / 20 + random.nextInt(stay));
    require(process.isAlive(), "a client ended by itself: " + Files.readString(said));
    process.destroyForcibly().waitFor();
  }

  /**
   * The server between two clients.
   *
   * @param clients how many it has had
   */
  private record Look(int clients, Footprint footprint, JvmMemory memory) {
    @Override
    public String toString() {
      return "%d clients: %s; %s".formatted(clients, footprint, memory);
    }
  }

  /** Looks at the server when it has no client any more, and as much as before its first one. */
  private Look look(ServedDisk disk, Footprint bare, int clients)
      throws IOException, InterruptedException {
    long begin = System.nanoTime();
    while (true) {
      var now = disk.footprint();
      if (now.descriptors() <= bare.descriptors() && now.threads() <= bare.threads()) {
        break;
      }
      if (System.nanoTime() - begin > SETTLE_MILLIS * 1_000_000) {
        throw new IllegalStateException(
            "it has %s, and had %s; threads %s".formatted(now, bare, disk.threadNames()));
      }
      Thread.sleep(20);
    }
    var memory = JvmMemory.read(disk.tell(isShort ? "memory now" : "memory"));
    return new Look(clients, disk.footprint(), memory);
  }

  /**
   * A program runs in, and then has all that it needs: the second half of its clients must leave
   * nothing behind. What it grew by before is told, and is what it had to compile and to load. Of
   * each quarter the least counts: what passes, as a compiler's memory does, is not in it, and what
   * stays is.
   */
  private void requireNoGrowth(List<Look> looks) {
    int middle = (looks.size() - 1) / 2;
    int between = middle + (looks.size() - middle) / 2;
    var third = looks.subList(middle, between);
    var fourth = looks.subList(between, looks.size());
    var growths = new ArrayList<Growth>();
    growths.add(new Growth("live objects", it -> it.memory.live(), isShort ? 1 << 10 : 512));
    growths.add(new Growth("program's memory", it -> it.memory.program(), isShort ? 2 << 10 : 512));
    if (!isShort) {
      growths.add(new Growth("maps", it -> it.footprint.maps(), 4));
      growths.add(new Growth("machine's memory", it -> it.memory.machine(), 2 << 10));
      growths.add(new Growth("resident", it -> it.footprint.resident(), 4 << 10));
    }
    for (var growth : growths) {
      long before = least(third, growth.figure);
      long after = least(fourth, growth.figure);
      require(
          after <= before + growth.most,
          "%s: at least %,d in the third quarter, %,d in the last%n%s"
              .formatted(growth.name, before, after, told(looks)));
    }
  }

  private static long least(List<Look> looks, ToLongFunction<Look> figure) {
    return looks.stream().mapToLong(figure).min().orElseThrow();
  }

  /**
   * What must not grow.
   *
   * @param most by how much it may, in kibibytes if it is memory: a collection more or less, some
   *     of the pieces of 128 KiB that a disk may have, code that is compiled late
   */
  private record Growth(String name, ToLongFunction<Look> figure, long most) {}

  private static String told(List<Look> looks) {
    var lines = new ArrayList<String>();
    looks.forEach(look -> lines.add("  after " + look));
    return String.join(System.lineSeparator(), lines);
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
