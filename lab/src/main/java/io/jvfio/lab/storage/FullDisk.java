// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import static io.jvfio.lab.storage.DiskClient.CAPACITY_EXCEEDED;
import static io.jvfio.lab.storage.DiskClient.DO_NOT_RETRY;
import static io.jvfio.lab.storage.DiskClient.UNDER_WAY;
import static io.jvfio.lab.storage.DiskClient.UNRECOVERED_READ_ERROR;
import static io.jvfio.lab.storage.DiskClient.WRITE_FAULT;
import static io.jvfio.lab.storage.DiskClient.WRITE_PROTECTED;
import static io.jvfio.lab.storage.Lane.require;
import static io.jvfio.lab.storage.Lane.requireStatus;

import io.jvfio.lab.storage.ServedDisk.Way;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * What becomes of a served disk whose file system fills up, fails, becomes read-only, or whose file
 * is cut short or deleted: on real file systems, small ones that are mounted for that.
 */
final class FullDisk {
  private static final long FILE_SYSTEM_BYTES = 64 << 20;
  private static final long DISK_BYTES = 160 << 20;
  private static final long FILLER_BYTES = 16 << 20;
  private static final int WAITING = 8;
  private static final int FIRST_SLOT = 4;

  /** Four looks for room, and so long for a write on a busy machine. */
  private static final int QUIET_MILLIS = 1000;

  private static final int LONG_MILLIS = 30_000;
  private static final int STILL_MILLIS = 1500;
  private static final int SOON_MILLIS = 5000;

  private final Path directory;
  private final Survivors survivors;
  private final Path powerCut;

  FullDisk(Path directory, Survivors survivors, Path powerCut) {
    this.directory = directory;
    this.survivors = survivors;
    this.powerCut = powerCut;
  }

  /** All of it. */
  void run(Lane lane) throws IOException, InterruptedException {
    Mount.require(directory.resolve("mount"));
    for (var way :
        List.of(
            new Way(512, false, true),
            new Way(4096, false, false),
            new Way(4096, true, true),
            new Way(512, true, false))) {
      lane.step("full ext4, report: " + way, () -> fill(true, way));
      lane.step("full ext4, stop: " + way, () -> stop(true, way));
      lane.step("truncated: " + way, () -> truncated(way));
      lane.step("read-only after a failure: " + way, () -> becomesReadOnly(way));
      lane.step("failing fdatasync: " + way, () -> failingFlush(way));
    }
    for (boolean usesRing : new boolean[] {true, false}) {
      var way = new Way(512, false, usesRing);
      runShort(lane, way);
      lane.step("deleted: " + way, () -> deleted(way));
      lane.step("--read-only: " + way, () -> readOnly(way));
      lane.step("read-only file system: " + way, () -> readOnlyFileSystem(way));
      lane.step("end while commands wait for room: " + way, () -> endWhileWaiting(way));
      lane.step("client gone while commands wait for room: " + way, () -> goneWhileWaiting(way));
    }
  }

  /** What needs no loop device and little time. */
  void runShort(Lane lane, Way way) throws InterruptedException {
    lane.step("full tmpfs, report: " + way, () -> fill(false, way));
    lane.step("full tmpfs, stop: " + way, () -> stop(false, way));
  }

  private Mount mount(boolean isExt4) throws IOException, InterruptedException {
    var at = directory.resolve("mount");
    return isExt4
        ? Mount.ext4(at, directory.resolve("mount.img"), FILE_SYSTEM_BYTES)
        : Mount.tmpfs(at, FILE_SYSTEM_BYTES);
  }

  private static List<String> options(Way way, String... more) {
    var options = new ArrayList<>(way.options());
    options.addAll(List.of(more));
    return options;
  }

  private static String size() {
    return Long.toString(DISK_BYTES);
  }

  /** Something else on the file system, whose room can be had by deleting it. */
  private static Path filler(Mount mount) throws IOException, InterruptedException {
    var filler = mount.resolve("filler");
    Programs.demand("fallocate", "-l", Long.toString(FILLER_BYTES), filler.toString());
    return filler;
  }

  private Path written(String name) throws IOException {
    var written = directory.resolve(name + ".writes");
    Files.deleteIfExists(written);
    return written;
  }

  private void requireAll(Way way, Path file, Path written)
      throws IOException, InterruptedException {
    var found = survivors.check(way.blockSize(), file, written);
    require(found.isRight(), found.text());
    require(found.owned() > 0, "nothing was written: " + found.text());
  }

  /** The line for the operator: file, offset, errno, consequence. */
  private static void requireLine(
      ServedDisk disk, Path file, String operation, String errno, String consequence)
      throws IOException, InterruptedException {
    disk.awaitSaying(consequence, SOON_MILLIS);
    var line =
        Pattern.compile(
            "%s: %s of [\\d,]+ bytes at [\\d,]+ failed: %s \\(.+\\)\\. .*%s"
                .formatted(
                    Pattern.quote(file.toString()), operation, errno, Pattern.quote(consequence)));
    require(line.matcher(disk.text()).find(), "no such line for the operator: " + disk.text());
  }

  /** Writes until there is no room; returns how many writes there were before. */
  private static int fill(DiskClient client) {
    int most = client.mostBlocks();
    long last = client.namespace().blockCount() / most;
    for (int i = 0; i < last; i++) {
      int status = client.write((long) i * most, most, false);
      if (status != 0) {
        requireStatus(status, CAPACITY_EXCEEDED | DO_NOT_RETRY, "Write without room");
        return i;
      }
    }
    throw new IllegalStateException("the file system does not fill up");
  }

  String fill(boolean isExt4, Way way) throws IOException, InterruptedException {
    var written = written("full");
    try (var mount = mount(isExt4)) {
      var filler = filler(mount);
      var file = mount.resolve("disk.img");
      int before;
      int after;
      try (var disk = ServedDisk.start(directory, "full", file, options(way, "--size", size()));
          var log = WriteLog.open(written);
          var client = DiskClient.open(disk.socket(), log)) {
        before = fill(client);
        requireLine(
            disk, file, "write", "ENOSPC", "The command fails with Capacity Exceeded. Make room.");
        // What is there can be read and overwritten, and flushed.
        int most = client.mostBlocks();
        requireStatus(client.read(0, most), 0, "Read");
        requireStatus(client.write(0, most, true), 0, "Write of what has room");
        requireStatus(client.flush(), 0, "Flush");
        requireStatus(
            client.write((long) (before + 4) * most, most, true),
            CAPACITY_EXCEEDED | DO_NOT_RETRY,
            "Write with FUA without room");
        Files.delete(filler);
        after = 0;
        while (client.write((long) (before + after) * most, most, false) == 0) {
          after++;
        }
        require(after > 0, "there is room now, and no write goes on");
        requireStatus(client.flush(), 0, "Flush");
        disk.terminate();
        require(disk.awaitEnd(SOON_MILLIS), "it does not end");
      }
      requireAll(way, file, written);
      return "%d writes of 512 KiB had room, and %d more when there was more"
          .formatted(before, after);
    }
  }

  String stop(boolean isExt4, Way way) throws IOException, InterruptedException {
    var written = written("stop");
    try (var mount = mount(isExt4)) {
      var filler = filler(mount);
      var file = mount.resolve("disk.img");
      long waited;
      int waiting = 0;
      try (var disk =
              ServedDisk.start(
                  directory, "stop", file, options(way, "--size", size(), "--on-full", "stop"));
          var log = WriteLog.open(written);
          var client = DiskClient.open(disk.socket(), log)) {
        int next = fillUntilWaiting(disk, client);
        int most = client.mostBlocks();
        requireLine(disk, file, "write", "ENOSPC", "The command waits until there is room.");
        long begin = System.nanoTime();
        // Others are not held up: registers, reads, and writes of what has room.
        while (System.nanoTime() - begin < STILL_MILLIS * 1_000_000L) {
          client.readRegister();
          requireStatus(client.read(0, most), 0, "Read while others wait");
          requireStatus(client.write(0, most, false), 0, "Write of what has room");
        }
        client.controller().smart();
        for (int slot = FIRST_SLOT; slot < FIRST_SLOT + WAITING; slot++) {
          int status = client.status(slot);
          // One that had room after all, and was slow, is no failure.
          require(
              status == UNDER_WAY || status == 0,
              "a command that waits for room ended with %#x".formatted(status));
          waiting += status == UNDER_WAY ? 1 : 0;
        }
        require(waiting > 0, "no command waits for room");
        Files.delete(filler);
        begin = System.nanoTime();
        for (int slot = FIRST_SLOT; slot < FIRST_SLOT + WAITING; slot++) {
          requireStatus(client.await(slot, SOON_MILLIS), 0, "Write that waited for room");
        }
        waited = (System.nanoTime() - begin) / 1_000_000;
        requireStatus(client.write((long) next * most, most, false), 0, "Write after that");
        requireStatus(client.flush(), 0, "Flush");
      }
      requireAll(way, file, written);
      return "%d commands went on within %d ms of there being room".formatted(waiting, waited);
    }
  }

  /**
   * Writes until there is no room, and has some writes wait for it. A write that takes long is none
   * of them: on a busy disk it may take longer than any time that could be waited here.
   *
   * @return the first place of a write that was not tried
   */
  private static int fillUntilWaiting(ServedDisk disk, DiskClient client)
      throws IOException, InterruptedException {
    int most = client.mostBlocks();
    int next = 0;
    for (int slot = FIRST_SLOT; slot < FIRST_SLOT + WAITING; slot++) {
      client.begin(slot, (long) next++ * most, most, slot % 2 == 0);
    }
    long last = System.nanoTime();
    while (!disk.says("The command waits until there is room.") || isWithin(last, QUIET_MILLIS)) {
      require(isWithin(last, LONG_MILLIS), "writes do not end, and do not wait for room either");
      for (int slot = FIRST_SLOT; slot < FIRST_SLOT + WAITING; slot++) {
        int status = client.await(slot, 2);
        if (status != UNDER_WAY) {
          requireStatus(status, 0, "Write");
          require(next < DISK_BYTES / (512 << 10), "the file system does not fill up");
          client.begin(slot, (long) next++ * most, most, slot % 2 == 0);
          last = System.nanoTime();
        }
      }
    }
    return next;
  }

  private static boolean isWithin(long begin, long millis) {
    return System.nanoTime() - begin < millis * 1_000_000L;
  }

  /** SIGTERM does not wait for room. */
  private String endWhileWaiting(Way way) throws IOException, InterruptedException {
    var written = written("ends");
    try (var mount = mount(false)) {
      filler(mount);
      var file = mount.resolve("disk.img");
      long millis;
      try (var disk =
              ServedDisk.start(
                  directory, "ends", file, options(way, "--size", size(), "--on-full", "stop"));
          var log = WriteLog.open(written);
          var client = DiskClient.open(disk.socket(), log)) {
        fillUntilWaiting(disk, client);
        long begin = System.nanoTime();
        disk.terminate();
        require(disk.awaitEnd(SOON_MILLIS), "it does not end while commands wait: " + disk.text());
        millis = (System.nanoTime() - begin) / 1_000_000;
        require(Files.notExists(disk.socket()), "the socket is still there");
      }
      requireAll(way, file, written);
      return "%d ms".formatted(millis);
    }
  }

  /** The next client does not find what the one before was waiting with. */
  private String goneWhileWaiting(Way way) throws IOException, InterruptedException {
    var written = written("gone");
    try (var mount = mount(false)) {
      var filler = filler(mount);
      var file = mount.resolve("disk.img");
      try (var disk =
              ServedDisk.start(
                  directory, "gone", file, options(way, "--size", size(), "--on-full", "stop"));
          var log = WriteLog.open(written)) {
        int next;
        try (var client = DiskClient.open(disk.socket(), log)) {
          next = fillUntilWaiting(disk, client);
        }
        Files.delete(filler);
        try (var client = DiskClient.open(disk.socket(), log)) {
          int most = client.mostBlocks();
          requireStatus(client.read(0, most), 0, "Read");
          requireStatus(client.write((long) next * most, most, true), 0, "Write");
        }
        disk.terminate();
        require(disk.awaitEnd(SOON_MILLIS), "it does not end");
      }
      requireAll(way, file, written);
      return "";
    }
  }

  private String truncated(Way way) throws IOException, InterruptedException {
    var written = written("short");
    var file = directory.resolve("short.img");
    Files.deleteIfExists(file);
    try (var disk = ServedDisk.start(directory, "short", file, options(way, "--size", "32M"));
        var log = WriteLog.open(written);
        var client = DiskClient.open(disk.socket(), log)) {
      int most = client.mostBlocks();
      for (int i = 0; i < 64; i++) {
        requireStatus(client.write((long) i * most, most, false), 0, "Write");
      }
      Programs.demand("truncate", "-s", "16M", file.toString());
      requireStatus(client.read(0, most), 0, "Read of what is left");
      require(client.read(0, most, 1).stream().allMatch(it -> it > 0), "other blocks than written");
      requireStatus(
          client.read(40L * most, most),
          UNRECOVERED_READ_ERROR | DO_NOT_RETRY,
          "Read of what is gone");
      requireStatus(
          client.write(40L * most, most, false),
          WRITE_FAULT | DO_NOT_RETRY,
          "Write to what is gone");
      requireStatus(client.flush(), WRITE_FAULT | DO_NOT_RETRY, "Flush of what is gone");
      disk.awaitSaying(file + ": the file was made shorter: it has 16,777,216 of", SOON_MILLIS);
      require(!client.controller().errors().isEmpty(), "the error log is empty");
      // It is as long again, by holes; nothing is told from there on.
      Programs.demand("truncate", "-s", "32M", file.toString());
      requireStatus(client.write(40L * most, most, false), 0, "Write to what is there again");
      disk.terminate();
      require(disk.awaitEnd(SOON_MILLIS), "it does not end");
      return "";
    } finally {
      Files.deleteIfExists(file);
    }
  }

  private String deleted(Way way) throws IOException, InterruptedException {
    var written = written("deleted");
    var file = directory.resolve("deleted.img");
    Files.deleteIfExists(file);
    try (var disk = ServedDisk.start(directory, "deleted", file, options(way, "--size", "32M"));
        var log = WriteLog.open(written);
        var client = DiskClient.open(disk.socket(), log)) {
      int most = client.mostBlocks();
      requireStatus(client.write(0, most, false), 0, "Write");
      requireStatus(client.flush(), 0, "Flush");
      require(!disk.says("was deleted"), "it is said to be deleted, and is not");
      Files.delete(file);
      Thread.sleep(STILL_MILLIS); // looked at once a second
      requireStatus(client.write(0, most, false), 0, "Write");
      requireStatus(client.flush(), 0, "Flush");
      disk.awaitSaying(file + ": the file was deleted", SOON_MILLIS);
      requireStatus(client.read(0, most), 0, "Read");
      disk.terminate();
      require(disk.awaitEnd(SOON_MILLIS), "it does not end");
      return "";
    }
  }

  /** The kernel makes a file system read-only when it finds it damaged; here it is told to. */
  private String becomesReadOnly(Way way) throws IOException, InterruptedException {
    var written = written("protected");
    try (var mount = mount(true)) {
      var file = mount.resolve("disk.img");
      int status;
      try (var disk =
              ServedDisk.start(directory, "protected", file, options(way, "--size", "32M"));
          var log = WriteLog.open(written);
          var client = DiskClient.open(disk.socket(), log)) {
        int most = client.mostBlocks();
        requireStatus(client.write(0, most, true), 0, "Write");
        Programs.run(List.of("mount", "-o", "remount,abort", mount.directory().toString()));
        status = client.write(8L * most, most, false);
        require(
            status == (WRITE_PROTECTED | DO_NOT_RETRY) || status == (WRITE_FAULT | DO_NOT_RETRY),
            "Write ended with %#x".formatted(status));
        disk.awaitSaying(
            status == (WRITE_PROTECTED | DO_NOT_RETRY) ? "failed: EROFS" : "failed: EIO",
            SOON_MILLIS);
        requireStatus(client.read(0, most), 0, "Read");
        client.readRegister();
        disk.terminate();
        require(disk.awaitEnd(SOON_MILLIS), "it does not end");
      }
      requireAll(way, file, written);
      return String.format(Locale.ROOT, "Write ends with %#x", status & ~DO_NOT_RETRY);
    }
  }

  /** An fdatasync that fails: what was written before may be lost, and no flush succeeds again. */
  private String failingFlush(Way way) throws IOException, InterruptedException {
    var written = written("failing");
    try (var mount = mount(true)) {
      var file = mount.resolve("disk.img");
      try (var disk = ServedDisk.start(directory, "failing", file, options(way, "--size", "32M"));
          var log = WriteLog.open(written);
          var client = DiskClient.open(disk.socket(), log)) {
        int most = client.mostBlocks();
        requireStatus(client.write(0, most, true), 0, "Write");
        requireStatus(client.write(most, most, false), 0, "Write");
        Programs.demand(powerCut.toString(), mount.directory().toString());
        for (int i = 0; i < 3; i++) {
          requireStatus(client.flush(), WRITE_FAULT | DO_NOT_RETRY, "Flush of a failed disk");
        }
        requireLine(
            disk, file, "fdatasync", "EIO", "from now on every flush fails. Check the disk");
        requireStatus(
            client.write(0, most, true), WRITE_FAULT | DO_NOT_RETRY, "Write with FUA after that");
        require(client.controller().errors().size() >= 4, "the error log lacks some");
        client.readRegister();
        disk.terminate();
        require(disk.awaitEnd(SOON_MILLIS), "it does not end");
      }
      mount.mountAgain();
      var found = survivors.afterPowerLoss(way.blockSize(), file, written);
      require(found.isRight(), found.text());
      return "";
    }
  }

  private String readOnly(Way way) throws IOException, InterruptedException {
    var written = written("read-only");
    var file = directory.resolve("read-only.img");
    Files.deleteIfExists(file);
    try (var disk = ServedDisk.start(directory, "read-only", file, options(way, "--size", "32M"));
        var log = WriteLog.open(written);
        var client = DiskClient.open(disk.socket(), log)) {
      requireStatus(client.write(0, client.mostBlocks(), true), 0, "Write");
    }
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--------"));
    var before = Files.getLastModifiedTime(file);
    try (var disk = ServedDisk.start(directory, "read-only", file, options(way, "--read-only"))) {
      requireReadOnly(disk, written);
    }
    require(Files.getLastModifiedTime(file).equals(before), "the file has changed");
    requireAll(way, file, written);
    Files.delete(file);
    return "";
  }

  private static void requireReadOnly(ServedDisk disk, Path written)
      throws IOException, InterruptedException {
    try (var log = WriteLog.open(written);
        var client = DiskClient.open(disk.socket(), log)) {
      int most = client.mostBlocks();
      requireStatus(client.read(0, most), 0, "Read");
      require(client.read(0, most, 1).stream().allMatch(it -> it > 0), "other blocks than written");
      requireStatus(
          client.write(0, most, false), WRITE_PROTECTED | DO_NOT_RETRY, "Write to --read-only");
      requireStatus(client.flush(), 0, "Flush of --read-only");
    }
    disk.terminate();
    require(disk.awaitEnd(SOON_MILLIS), "it does not end");
  }

  /** A file system that is mounted read-only takes no disk that is to be written. */
  private String readOnlyFileSystem(Way way) throws IOException, InterruptedException {
    var written = written("ro");
    try (var mount = mount(true)) {
      var file = mount.resolve("disk.img");
      try (var disk = ServedDisk.start(directory, "ro", file, options(way, "--size", "32M"));
          var log = WriteLog.open(written);
          var client = DiskClient.open(disk.socket(), log)) {
        requireStatus(client.write(0, client.mostBlocks(), false), 0, "Write");
        var ended =
            Programs.run(List.of("mount", "-o", "remount,ro", mount.directory().toString()));
        require(!ended.isGood(), "Linux lets a file system with a writer become read-only");
        requireStatus(client.write(0, client.mostBlocks(), true), 0, "Write after that");
        disk.terminate();
        require(disk.awaitEnd(SOON_MILLIS), "it does not end");
      }
      mount.remount("ro");
      String refusal;
      try (var _ = ServedDisk.start(directory, "ro", file, way.options())) {
        throw new AssertionError("it serves a disk that cannot be written");
      } catch (IllegalStateException e) {
        refusal = String.valueOf(e.getMessage());
      }
      require(
          refusal.contains(file.toString()) && refusal.contains("EROFS"),
          "the refusal tells too little: " + refusal);
      try (var disk = ServedDisk.start(directory, "ro", file, options(way, "--read-only"))) {
        requireReadOnly(disk, written);
      }
      requireAll(way, file, written);
      return refusal.lines().reduce((first, last) -> last).orElse("").strip();
    }
  }
}
