// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import static io.jvfio.lab.storage.Lane.require;
import static io.jvfio.lab.storage.Lane.requireStatus;

import io.jvfio.lab.storage.ServedDisk.Way;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Proof that what a client was told to be persistent is: the served file lies on an ext4 of its
 * own, whose power is cut while clients write. What was flushed must be there when it is mounted
 * again. Some of what was not flushed must be gone, or nothing would be proved.
 */
final class FlushProof {
  private static final long IMAGE_BYTES = 96 << 20;
  private static final long DISK_BYTES = 48 << 20;
  private static final int STILL_MILLIS = 200;

  private final Path directory;
  private final Survivors survivors;
  private final Path powerCut;
  private final SplittableRandom random;
  private long lost;

  FlushProof(Path directory, Survivors survivors, Path powerCut, long seed) {
    this.directory = directory;
    this.survivors = survivors;
    this.powerCut = powerCut;
    random = new SplittableRandom(seed);
  }

  void run(Lane lane, int rounds) throws IOException, InterruptedException {
    Mount.require(directory.resolve("mount"));
    lane.step("fdatasync by threads, traced", this::traced);
    for (var way : Way.all()) {
      lane.step("power cut: " + way, () -> cut(way, rounds));
      lane.step("orderly end: " + way, () -> ended(way));
    }
    lane.step("what was not flushed", this::teeth);
  }

  private static List<String> options(Way way) {
    var options = new ArrayList<>(way.options());
    options.addAll(List.of("--size", Long.toString(DISK_BYTES)));
    return options;
  }

  private Mount mount() throws IOException, InterruptedException {
    return Mount.ext4(directory.resolve("mount"), directory.resolve("mount.img"), IMAGE_BYTES);
  }

  private String cut(Way way, int rounds) throws IOException, InterruptedException {
    long flushed = 0;
    long older = 0;
    long owned = 0;
    for (int round = 0; round < rounds; round++) {
      var written = Files.createTempFile(directory, "power", ".writes");
      try (var mount = mount()) {
        var file = mount.resolve("disk.img");
        try (var disk = ServedDisk.start(directory, "power", file, options(way));
            var log = WriteLog.open(written);
            var writer =
                BlockWriter.start(
                    disk.socket(),
                    BlockWriter.Plan.of(random.nextLong() >>> 1).withDurable(6, 2),
                    log)) {
          Thread.sleep(300 + random.nextInt(1500));
          Programs.demand(powerCut.toString(), mount.directory().toString());
          Thread.sleep(STILL_MILLIS); // whatever is acknowledged from now on is a lie
          disk.kill();
          writer.abandon();
        }
        mount.mountAgain();
        var found = survivors.afterPowerLoss(way.blockSize(), file, written);
        require(found.isRight(), found.text());
        flushed += found.flushed();
        older += found.older();
        owned += found.owned();
      }
      Files.delete(written);
    }
    require(owned > 0, "nothing was flushed");
    lost += older;
    return "%,d durable blocks owned, %,d times; %,d blocks that were not flushed went"
        .formatted(owned, flushed, older);
  }

  private String teeth() {
    require(lost > 0, "nothing was lost, not even what was not flushed: this proves nothing");
    return "%,d blocks went with the power".formatted(lost);
  }

  /** SIGTERM, with everything acknowledged and nothing flushed. */
  private String ended(Way way) throws IOException, InterruptedException {
    var written = Files.createTempFile(directory, "end", ".writes");
    try (var mount = mount()) {
      var file = mount.resolve("disk.img");
      try (var disk = ServedDisk.start(directory, "end", file, options(way));
          var log = WriteLog.open(written);
          var client = DiskClient.open(disk.socket(), log)) {
        int most = client.mostBlocks();
        for (int i = 0; i < 40; i++) {
          requireStatus(client.write((long) i * most, most, false), 0, "Write");
        }
        long begin = System.nanoTime();
        disk.terminate();
        require(disk.awaitEnd(10_000), "it does not end: " + disk.text());
        long millis = (System.nanoTime() - begin) / 1_000_000;
        Programs.demand(powerCut.toString(), mount.directory().toString());
        mount.mountAgain();
        var found = survivors.check(way.blockSize(), file, written);
        require(found.isRight(), found.text());
        return "%,d blocks that no client had flushed are there; it took %,d ms"
            .formatted(found.owned(), millis);
      }
    } finally {
      Files.delete(written);
    }
  }

  /** Counts the calls of the threads, which a tracer sees; it does not see those of a ring. */
  private String traced() throws IOException, InterruptedException {
    var trace = directory.resolve("trace");
    var written = Files.createTempFile(directory, "trace", ".writes");
    var strace =
        List.of(
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=fdatasync",
            "-e",
            "signal=none",
            "-o",
            trace.toString());
    var way = new Way(512, false, false);
    var file = directory.resolve("trace.img");
    try (var disk = ServedDisk.start(directory, "trace", strace, file, options(way));
        var log = WriteLog.open(written)) {
      int before;
      int unflushed;
      int flushed;
      int durable;
      try (var client = DiskClient.open(disk.socket(), log)) {
        before = calls(trace);
        for (int i = 0; i < 100; i++) {
          requireStatus(client.write(i, 1, false), 0, "Write");
        }
        unflushed = calls(trace) - before;
        requireStatus(client.flush(), 0, "Flush");
        flushed = calls(trace) - before - unflushed;
        for (int i = 0; i < 10; i++) {
          requireStatus(client.write(i, 1, true), 0, "Write with FUA");
        }
        durable = calls(trace) - before - unflushed - flushed;
        requireStatus(client.write(1, 1, false), 0, "Write");
      }
      int left = calls(trace);
      Programs.demand("kill", "-TERM", child(disk.processId()));
      require(disk.awaitEnd(20_000), "it does not end");
      int end = calls(trace) - left;
      require(unflushed == 0, unflushed + " calls for 100 writes that nobody flushed");
      require(flushed == 1, flushed + " calls for a flush");
      require(durable == 10, durable + " calls for 10 writes with FUA");
      require(end >= 1, "no call at the end");
      return "0 for 100 writes, 1 for a flush, 10 for 10 writes with FUA, %d at the end"
          .formatted(end);
    } finally {
      Files.delete(written);
      Files.deleteIfExists(file);
    }
  }

  /** The process that a tracer started. */
  private static String child(long tracer) throws IOException {
    var children =
        Path.of("/proc", Long.toString(tracer), "task", Long.toString(tracer), "children");
    return Files.readString(children).strip();
  }

  private static int calls(Path trace) throws IOException {
    // A call that others came in between is two lines.
    return (int)
        Files.readAllLines(trace).stream().filter(line -> line.contains("fdatasync(")).count();
  }
}
