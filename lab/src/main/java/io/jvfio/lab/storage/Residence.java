// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import static io.jvfio.lab.storage.Lane.require;
import static io.jvfio.lab.storage.Lane.requireStatus;

import io.jvfio.lab.storage.ServedDisk.Footprint;
import io.jvfio.lab.storage.ServedDisk.Way;
import io.jvfio.nvme.NvmeRanges;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * How much memory a server of a large, sparse disk has, whatever its clients do with the disk; and
 * that giving all of it back takes no time, and holds nobody up.
 */
final class Residence {
  private static final long GIB = 1L << 30;
  private static final long DISK_BYTES = 64 * GIB;

  /** Kibibytes that it may have in all, as docs/storage.md tells. */
  private static final long MOST = 192 << 10;

  /** Kibibytes that it may grow by, compiled code among it. */
  private static final long GROWTH = 48 << 10;

  private static final long CLEAR_MILLIS = 1000;
  private static final int CLEAR_SLOT = 3;

  private final Path directory;

  Residence(Path directory) {
    this.directory = directory;
  }

  void run(Lane lane, int seconds) throws InterruptedException {
    for (boolean isDirect : new boolean[] {false, true}) {
      for (boolean usesRing : new boolean[] {true, false}) {
        var way = new Way(isDirect ? 4096 : 512, isDirect, usesRing);
        lane.step("64 GiB: " + way, () -> read(way, seconds));
      }
    }
  }

  private String read(Way way, int seconds) throws IOException, InterruptedException {
    var file = directory.resolve("large.img");
    var written = directory.resolve("large.writes");
    Files.deleteIfExists(file);
    Files.deleteIfExists(written);
    var options = new ArrayList<>(way.options());
    options.addAll(List.of("--size", Long.toString(DISK_BYTES)));
    try (var disk = ServedDisk.start(directory, "large", file, options);
        var log = WriteLog.open(written);
        var client = DiskClient.open(disk.socket(), log)) {
      var random = new SplittableRandom(6);
      int most = client.mostBlocks();
      long blocks = client.namespace().blockCount();
      for (int i = 0; i < 64; i++) {
        requireStatus(client.write(random.nextLong(blocks - most), most, false), 0, "Write");
      }
      reads(client, random, 2);
      var first = disk.footprint();
      var sparse = clear(client);
      require(sparse.millis < CLEAR_MILLIS, "clearing 64 GiB: " + sparse);
      require(allocated(file) < 1 << 20, "the file still has %,d bytes".formatted(allocated(file)));
      var second = disk.footprint();
      requireFlat(first, second, "clearing all of it");
      long reads = reads(client, random, seconds);
      var third = disk.footprint();
      requireFlat(second, third, "random reads");
      // Now the kernel must forget what it has in its cache, and that is its time, and not ours.
      var cached = clear(client);
      requireFlat(third, disk.footprint(), "clearing what was read");
      requireStatus(client.read(0, most), 0, "Read");
      return "all of it cleared: %s; %,d random reads: %s; cleared again, what was read being cached: %s"
          .formatted(sparse, reads, third, cached);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /**
   * How long it took to give all of a disk back.
   *
   * @param longestRegister milliseconds that a register took meanwhile, at most
   */
  private record Cleared(double millis, double longestRegister) {
    @Override
    public String toString() {
      return "%.0f ms, registers within %.1f ms".formatted(millis, longestRegister);
    }
  }

  /** What {@code blkdiscard} of Linux asks for. */
  private static Cleared clear(DiskClient client) {
    long blocks = client.namespace().blockCount();
    var all = new NvmeRanges(256);
    for (long at = 0; at < blocks; at += 1L << 31) {
      all.add(at, Math.min(1L << 31, blocks - at));
    }
    long begin = System.nanoTime();
    client.beginDeallocate(CLEAR_SLOT, all);
    long longest = 0;
    while (client.status(CLEAR_SLOT) == DiskClient.UNDER_WAY) {
      longest = Math.max(longest, client.readRegister());
    }
    long nanos = System.nanoTime() - begin;
    requireStatus(client.status(CLEAR_SLOT), 0, "Dataset Management");
    return new Cleared(nanos / 1e6, longest / 1e6);
  }

  private static long reads(DiskClient client, SplittableRandom random, int seconds) {
    int blocks = 4096 / client.namespace().blockSize();
    long count = 0;
    long begin = System.nanoTime();
    while (System.nanoTime() - begin < seconds * 1_000_000_000L) {
      int slots = 32;
      for (int slot = 4; slot < 4 + slots; slot++) {
        client.beginRead(slot, random.nextLong(client.namespace().blockCount() - blocks), blocks);
      }
      for (int slot = 4; slot < 4 + slots; slot++) {
        requireStatus(client.await(slot, 20_000), 0, "Read");
      }
      count += slots;
    }
    return count;
  }

  private static void requireFlat(Footprint before, Footprint after, String what) {
    require(
        after.resident() <= Math.min(before.resident() + GROWTH, MOST),
        "%s: it had %s, and has %s".formatted(what, before, after));
  }

  private static long allocated(Path file) throws IOException, InterruptedException {
    return 512 * Long.parseLong(Programs.demand("stat", "-c", "%b", file.toString()).strip());
  }
}
