// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import static io.jvfio.lab.storage.DiskClient.UNDER_WAY;
import static io.jvfio.lab.storage.Lane.require;
import static io.jvfio.lab.storage.Lane.requireStatus;

import io.jvfio.lab.storage.ServedDisk.Way;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A disk whose writes do not end for a minute: its file system is frozen, as for a snapshot. What
 * needs no writing goes on meanwhile.
 */
final class SlowDisk {
  private static final int UNDER_WAY_WRITES = 4;
  private static final int FIRST_SLOT = 4;
  private static final double MOST_MILLIS = 10;

  private final Path directory;
  private final Survivors survivors;

  SlowDisk(Path directory, Survivors survivors) {
    this.directory = directory;
    this.survivors = survivors;
  }

  void run(Lane lane, int seconds) throws IOException, InterruptedException {
    Mount.require(directory.resolve("mount"));
    for (boolean usesRing : new boolean[] {true, false}) {
      var way = new Way(512, false, usesRing);
      lane.step("writes that take %d s: %s".formatted(seconds, way), () -> slow(way, seconds));
      lane.step("SIGTERM while writes do not end: " + way, () -> terminated(way));
    }
  }

  private Mount mount() throws IOException, InterruptedException {
    return Mount.ext4(directory.resolve("mount"), directory.resolve("mount.img"), 64 << 20);
  }

  private static void freeze(Mount mount) throws IOException, InterruptedException {
    Programs.demand("fsfreeze", "-f", mount.directory().toString());
  }

  private static void thaw(Mount mount) throws IOException, InterruptedException {
    Programs.demand("fsfreeze", "-u", mount.directory().toString());
  }

  private static List<String> options(Way way) {
    var options = new ArrayList<>(way.options());
    options.addAll(List.of("--size", "32M"));
    return options;
  }

  private static void beginWrites(DiskClient client) throws InterruptedException {
    int most = client.mostBlocks();
    for (int i = 0; i < UNDER_WAY_WRITES; i++) {
      client.begin(FIRST_SLOT + i, (long) (8 + i) * most, most, i % 2 == 0);
    }
    client.beginFlush(FIRST_SLOT + UNDER_WAY_WRITES);
    Thread.sleep(500);
  }

  private String slow(Way way, int seconds) throws IOException, InterruptedException {
    var written = directory.resolve("slow.writes");
    Files.deleteIfExists(written);
    try (var mount = mount()) {
      var file = mount.resolve("disk.img");
      String told;
      try (var disk = ServedDisk.start(directory, "slow", file, options(way));
          var log = WriteLog.open(written);
          var client = DiskClient.open(disk.socket(), log)) {
        int most = client.mostBlocks();
        requireStatus(client.write(0, most, true), 0, "Write");
        double before = percentile(registers(client, most, 3), 99);
        freeze(mount);
        long[] times;
        try {
          beginWrites(client);
          times = registers(client, most, seconds);
          client.controller().smart();
          for (int i = 0; i < UNDER_WAY_WRITES; i++) {
            require(client.status(FIRST_SLOT + i) == UNDER_WAY, "a write ended: it was not slow");
          }
        } finally {
          thaw(mount);
        }
        for (int i = 0; i <= UNDER_WAY_WRITES; i++) {
          requireStatus(client.await(FIRST_SLOT + i, 20_000), 0, "Write, or flush, that was slow");
        }
        double millis = percentile(times, 99);
        told =
            ("%,d registers read: p99 %.2f ms, longest %.1f ms (before: p99 %.2f ms), with a read of"
                    + " 4 KiB between any two; all commands went on")
                .formatted(times.length, millis, percentile(times, 100), before);
        require(millis <= MOST_MILLIS, told);
        require(disk.isAlive(), "the server has ended");
      }
      var found = survivors.check(way.blockSize(), file, written);
      require(found.isRight(), found.text());
      return told;
    }
  }

  /** Reads a register, and then a block, again and again; returns how long the registers took. */
  private static long[] registers(DiskClient client, int most, int seconds)
      throws InterruptedException {
    var times = new long[seconds * 2000];
    int count = 0;
    long begin = System.nanoTime();
    while (System.nanoTime() - begin < seconds * 1_000_000_000L && count < times.length) {
      times[count++] = client.readRegister();
      requireStatus(client.read(0, Math.min(8, most)), 0, "Read while writes are slow");
      Thread.sleep(1);
    }
    return Arrays.copyOf(times, count);
  }

  private static double percentile(long[] times, int percent) {
    var sorted = times.clone();
    Arrays.sort(sorted);
    return sorted[Math.min(sorted.length - 1, sorted.length * percent / 100)] / 1e6;
  }

  /** It says that it cannot end, and ends as soon as the kernel lets it. */
  private String terminated(Way way) throws IOException, InterruptedException {
    var written = directory.resolve("slow.writes");
    Files.deleteIfExists(written);
    try (var mount = mount()) {
      var file = mount.resolve("disk.img");
      long millis;
      try (var disk = ServedDisk.start(directory, "slow", file, options(way));
          var log = WriteLog.open(written);
          var client = DiskClient.open(disk.socket(), log)) {
        requireStatus(client.write(0, client.mostBlocks(), true), 0, "Write");
        freeze(mount);
        long begin = System.nanoTime();
        try {
          beginWrites(client);
          begin = System.nanoTime();
          disk.terminate();
          disk.awaitSaying("system calls do not end", 40_000);
          millis = (System.nanoTime() - begin) / 1_000_000;
        } finally {
          thaw(mount);
        }
        require(disk.awaitEnd(20_000), "it does not end although it could: " + disk.text());
        // It goes last: a server that comes after this one finds the file free.
        require(Files.notExists(disk.socket()), "the socket is still there");
      }
      var found = survivors.check(way.blockSize(), file, written);
      require(found.isRight(), found.text());
      return "it said so after %,d ms, and ended when the disk was there again".formatted(millis);
    }
  }
}
