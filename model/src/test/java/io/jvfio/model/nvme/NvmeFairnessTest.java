// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.jvfio.linux.Kernel;
import io.jvfio.model.ResetReason;
import io.jvfio.model.nvme.FaultKernel.Call;
import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import io.jvfio.model.nvme.NvmeHost.Completion;
import io.jvfio.model.nvme.NvmeHost.Queues;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Work is bounded: what one call of the controller's host does is about a millisecond's worth,
 * whatever software asks for, and others get on in between. Rounds and bytes are counted here, not
 * time.
 */
class NvmeFairnessTest {
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int DATASET_MANAGEMENT = 9;
  private static final int DEALLOCATE = 4;
  private static final int VERIFY = 0x0c;
  private static final int COPY = 0x19;

  private static final int ENTRIES = 1024;
  private static final long SQ = 0x60_0000;
  private static final long CQ = 0x62_0000;
  private static final long OTHER_SQ = 0x63_0000;
  private static final long OTHER_CQ = 0x63_1000;
  private static final long DOORBELLS = 0x64_0000;
  private static final long EVENTS = 0x64_1000;
  private static final long LIST = 0x65_0000;
  private static final long RANGES = 0x66_0000;
  private static final long OTHER = 0x68_0000;
  private static final long MIB = 1 << 20;
  private static final long GIB = 1 << 30;

  /** What a round may do, and one request of the largest size that was begun within. */
  private static final long ROUND = 2 * MIB + (512 << 10);

  private static final int REGISTERS = 1000;

  @TempDir Path directory;

  private static NvmeModelOptions in(Storage storage) {
    return NvmeModelOptions.of("S", NvmeNamespaceOptions.in(storage));
  }

  private static NvmeHost started(NvmeModelOptions options) {
    var host = new NvmeHost(options, true).enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    return host;
  }

  private static Queues otherQueues(NvmeHost host) {
    return host.createQueues(2, OTHER_SQ, OTHER_CQ, 16);
  }

  /** An admin command and one of another queue are done after two rounds at most. */
  private static void assertOthersGetOn(NvmeHost host, Queues others) {
    int admin = host.admin.put(Command.admin(0x0a, 7, 0));
    host.write(0x1000, host.admin.tail);
    int other = others.put(NvmeHost.blocks(READ, 0, 1).at(OTHER));
    host.write(0x1000 + 8 * others.id, others.tail);
    var done = new ArrayList<Completion>();
    for (int round = 0; round <= 2 && done.size() < 2; round++) {
      done.addAll(host.admin.takeAll());
      done.addAll(others.takeAll());
      if (done.size() < 2) {
        host.model.poll();
      }
    }
    assertThat(done).extracting(Completion::commandId).containsExactlyInAnyOrder(admin, other);
    assertThat(done).allMatch(each -> each.status() == 0);
    host.admin.acknowledge();
    others.acknowledge();
    assertThat(host.status()).isEqualTo(1);
  }

  /** A read of each block moves the tail in memory on: there is always one more. */
  private static void feedItself(NvmeHost host, CountingStorage disk) {
    try (var arena = Arena.ofConfined()) {
      var block = arena.allocate(512, 8);
      for (int i = 0; i < ENTRIES; i++) {
        block.set(LE32, 504, (i + 2) % ENTRIES);
        block.set(LE32, 508, Math.floorMod(i - 400, ENTRIES));
        disk.writeNow(512L * i, block, 512);
      }
    }
    for (int i = 0; i < ENTRIES; i++) {
      host.io.put(NvmeHost.blocks(READ, i, 1).at(DOORBELLS - 496, DOORBELLS));
    }
    host.memory.asSlice(DOORBELLS, 0x2000).fill((byte) 0);
    var configure = Command.admin(0x7c, 0, 0).at(DOORBELLS, EVENTS);
    assertThat(host.admin.run(configure).status()).isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aQueueThatFeedsItselfLeavesRoomForOthers(boolean isPolled) {
    var disk = new CountingStorage(16 * MIB);
    var options = isPolled ? in(disk).withPolling() : in(disk);
    try (var host = started(options)) {
      var others = otherQueues(host);
      feedItself(host, disk);
      disk.takeRequests();
      host.memory.set(LE32, DOORBELLS + 8, 1);
      assertTimeoutPreemptively(
          Duration.ofSeconds(20), () -> host.write(0x1008, 1), "a doorbell that never returns");
      assertThat(disk.takeRequests()).as("commands of a doorbell").isLessThan(300);
      int total = 0;
      for (int i = 0; i < 200; i++) {
        host.model.poll();
        int requests = disk.takeRequests();
        assertThat(requests).as("commands of a round").isLessThan(300);
        total += requests;
        if (i % 10 == 0) {
          int other = others.put(NvmeHost.blocks(READ, 0, 1).at(OTHER));
          host.memory.set(LE32, DOORBELLS + 16, others.tail); // and nobody rings
          int admin = host.admin.put(Command.admin(0x0a, 7, 0));
          host.write(0x1000, host.admin.tail);
          host.model.poll();
          host.model.poll();
          assertThat(others.takeAll()).extracting(Completion::commandId).containsExactly(other);
          host.memory.set(LE32, DOORBELLS + 20, others.head);
          assertThat(host.admin.takeAll()).extracting(Completion::commandId).containsExactly(admin);
          host.admin.acknowledge();
          assertThat(host.status()).isEqualTo(1);
          disk.takeRequests();
        }
      }
      assertThat(total).as("it does feed itself").isGreaterThan(isPolled ? 150 : 10_000);

      if (isPolled) {
        host.configure(0);
      } else {
        host.model.reset(ResetReason.CLIENT_LOST);
      }
      assertThat(host.model.poll()).isFalse();
      assertThat(disk.takeRequests()).isZero();
    }
  }

  @Test
  void aDoorbellBeginsNoMoreThanARound() {
    var disk = new CountingStorage(64 * MIB);
    try (var host = started(in(disk))) {
      for (int page = 0; page < 127; page++) {
        host.memory.set(LE64, LIST + 8L * page, DATA + 4096L * (page + 1));
      }
      for (int i = 0; i < 100; i++) {
        host.io.put(NvmeHost.blocks(READ, 1024L * (i % 64), 1024).at(DATA, LIST));
      }
      host.write(0x1008, host.io.tail);
      long most = disk.takeBytes();
      int rounds = 1;
      while (host.model.poll()) {
        most = Math.max(most, disk.takeBytes());
        rounds++;
      }
      assertThat(most).isBetween(MIB, ROUND);
      assertThat(rounds).isGreaterThan(20);
      assertThat(host.io.takeAll()).hasSize(100).allMatch(each -> each.status() == 0);
    }
  }

  /** Each segment is fetched by itself, and most of them tell of nothing but the next. */
  @Test
  void listsOfManySegmentsTakeTheirShareOfARound() {
    int segments = 200;
    try (var host = started(in(new CountingStorage(MIB)))) {
      var others = otherQueues(host);
      for (int i = 0; i < segments; i++) {
        long at = LIST + 64L * i;
        boolean isLast = i == segments - 1;
        host.memory.asSlice(at, 32).fill((byte) 0);
        host.memory.set(LE64, at + 16, isLast ? DATA : at + 64);
        host.memory.set(LE64, at + 24, isLast ? 512 : sgl(i == segments - 2));
      }
      for (int i = 0; i < 500; i++) {
        host.io.put(NvmeHost.blocks(READ, i, 1).at(LIST, sgl(false)), 0x40);
      }
      host.accesses = 0;
      host.write(0x1008, host.io.tail);
      int most = host.accesses;
      int rounds = 0;
      while (host.accesses > 0) {
        assertOthersGetOn(host, others);
        most = Math.max(most, host.accesses);
        host.accesses = 0;
        host.model.poll();
        rounds++;
      }

      assertThat(most).isBetween(segments, 10_000);
      assertThat(rounds).isGreaterThan(10);
      assertThat(host.io.takeAll()).hasSize(500).allMatch(each -> each.status() == 0);
    }
  }

  /** A segment of two descriptors. */
  private static long sgl(boolean isLast) {
    return 32 | (isLast ? 0x30L : 0x20L) << 56;
  }

  /** A command, and how much is read and written for it. */
  private static long putCopy(NvmeHost host, int ranges, int blocks, long target) {
    host.memory.asSlice(RANGES, 32L * ranges).fill((byte) 0);
    for (int i = 0; i < ranges; i++) {
      host.memory.set(LE64, RANGES + 32L * i + 8, (long) blocks * i);
      host.memory.set(LE16, RANGES + 32L * i + 16, (short) (blocks - 1));
    }
    host.io.put(new Command(COPY, 1, RANGES, RANGES + 4096, (int) target, 0, ranges - 1));
    return 2L * 512 * blocks * ranges;
  }

  @Test
  void aHugeCopyHoldsNobodyUp() {
    var disk = new CountingStorage(GIB);
    try (var host = started(in(disk))) {
      var others = otherQueues(host);
      disk.takeBytes();
      long bytes = putCopy(host, 256, 512, 1 << 20);
      assertGoesOnInRounds(host, others, disk, bytes, 1);
    }
  }

  @Test
  void manyHugeVerifiesHoldNobodyUp() {
    var disk = new CountingStorage(GIB);
    try (var host = started(in(disk))) {
      var others = otherQueues(host);
      for (int i = 0; i < 20; i++) {
        host.io.put(NvmeHost.blocks(VERIFY, 65536L * i, 65536));
      }
      disk.takeBytes();
      assertGoesOnInRounds(host, others, disk, 20 * 32 * MIB, 20);
    }
  }

  private static void assertGoesOnInRounds(
      NvmeHost host, Queues others, CountingStorage disk, long bytes, int commands) {
    host.write(0x1008, host.io.tail);
    var done = new ArrayList<Completion>();
    long total = 0;
    int rounds = 0;
    while (done.size() < commands && rounds < 10_000) {
      long some = disk.takeBytes();
      assertThat(some).as("bytes of a round").isLessThanOrEqualTo(ROUND);
      total += some;
      rounds++;
      if (rounds % 4 == 0) {
        assertOthersGetOn(host, others);
        total += disk.takeBytes();
      }
      host.model.poll();
      done.addAll(host.io.takeAll());
    }
    assertThat(done).hasSize(commands).allMatch(each -> each.status() == 0);
    assertThat(total + disk.takeBytes()).isGreaterThanOrEqualTo(bytes);
    assertThat(rounds).isGreaterThan((int) (bytes / ROUND / 5));
  }

  private static void putRanges(NvmeHost host, int ranges, long distance, long blocks) {
    host.memory.asSlice(RANGES, 16L * ranges).fill((byte) 0);
    for (int i = 0; i < ranges; i++) {
      host.memory.set(LE32, RANGES + 16L * i + 4, (int) blocks);
      host.memory.set(LE64, RANGES + 16L * i + 8, distance * i);
    }
    host.io.put(new Command(DATASET_MANAGEMENT, 1, RANGES, 0, ranges - 1, DEALLOCATE, 0));
  }

  @Test
  void aDeallocationOfManyHugeRangesHoldsNobodyUp() {
    var disk = new CountingStorage(4096 * GIB);
    try (var host = started(in(disk))) {
      var others = otherQueues(host);
      putRanges(host, 256, 16 * GIB / 512, 8 * GIB / 512);
      host.write(0x1008, host.io.tail);
      int rounds = 0;
      while (host.io.takeAll().isEmpty() && rounds < 100_000) {
        rounds++;
        assertThat(disk.takeRequests()).isLessThan(16);
        if (rounds % 100 == 0) {
          assertOthersGetOn(host, others);
          disk.takeRequests();
        }
        host.model.poll();
      }
      assertThat(rounds).isBetween(32, 99_999);
      assertThat(disk.allocatedBytes()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aDeallocationInAFileIsACallForEachRangeAndTouchesNothing(boolean byRing) throws IOException {
    var kernel = new FaultKernel();
    var file = directory.resolve("disk");
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, 64 * GIB)).withKernel(kernel);
    try (var host = started(byRing ? options : options.withoutRing())) {
      var others = otherQueues(host);
      kernel.record();
      putRanges(host, 1, 0, 8 * GIB / 512);
      host.io.ring();
      assertThat(host.io.await(1)).singleElement().matches(each -> each.status() == 0);
      host.io.acknowledge();
      int punch = Kernel.FALLOC_FL_PUNCH_HOLE | Kernel.FALLOC_FL_KEEP_SIZE;
      assertThat(kernel.calls())
          .singleElement()
          .matches(each -> each.kind() == Kind.ALLOCATE && each.mode() == punch)
          .matches(each -> each.offset() == 0 && each.byteSize() == 8 * GIB);

      kernel.record();
      kernel.rule(call -> call.kind() == Kind.ALLOCATE ? FaultKernel.HELD : null);
      putRanges(host, 256, 1 << 18, 1 << 17);
      host.io.ring();
      for (int i = 0; i < 256; i++) {
        kernel.awaitHeld(1, host);
        assertThat(kernel.heldCount()).as("one call at a time").isEqualTo(1);
        if (i % 64 == 0) {
          assertThat(others.run(NvmeHost.blocks(READ, 1 << 17, 1).at(OTHER)).status()).isZero();
          assertThat(host.admin.run(Command.admin(0x0a, 7, 0)).status()).isZero();
        }
        kernel.releaseAll();
      }
      assertThat(host.io.await(1)).singleElement().matches(each -> each.status() == 0);
      assertThat(kernel.calls().stream().filter(call -> call.kind() == Kind.ALLOCATE))
          .hasSize(256)
          .extracting(Call::byteSize)
          .containsOnly(64 * MIB);
    }
  }

  /** What a file has to be copied for, as the client's memory is not lent, comes all at once. */
  @ParameterizedTest
  @ValueSource(ints = {READ, WRITE})
  void whatADiskCopiesIsBoundedByTheRound(int opcode) {
    var kernel = new FaultKernel();
    var file = directory.resolve("disk");
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, 64 * MIB)).withKernel(kernel);
    try (var host = new NvmeHost(options).enable()) {
      host.io = host.createQueues(1, SQ, CQ, ENTRIES);
      for (int page = 0; page < 127; page++) {
        host.memory.set(LE64, LIST + 8L * page, DATA + 4096L * (page + 1));
      }
      kernel.rule(call -> call.kind() == Kind.SYNC ? null : FaultKernel.HELD);
      for (int i = 0; i < 100; i++) {
        host.io.put(NvmeHost.blocks(opcode, 1024L * (i % 64), 1024).at(DATA, LIST));
      }
      host.write(0x1008, host.io.tail);
      while (host.model.poll()) {
        // Until all are with the disk, but for what has no memory to be copied to.
      }
      kernel.rule(null);
      kernel.releaseAll();

      host.takeCopied();
      long most = 0;
      var done = new ArrayList<Completion>();
      for (int round = 0; round < 1000 && done.size() < 100; round++) {
        host.model.poll();
        most = Math.max(most, host.takeCopied());
        done.addAll(host.io.takeAll());
      }
      assertThat(done).hasSize(100).allMatch(each -> each.status() == 0);
      assertThat(most).as("bytes copied in a round").isBetween(MIB, ROUND);
    }
  }

  /** The controller zeroes memory of a disk that takes memory, by the MiB: that is work, too. */
  @Test
  void writesToNewMemoryAreCountedByWhatTheyCost() {
    var disk = new CountingStorage(GIB);
    try (var host = started(in(disk))) {
      for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 500; i++) {
          host.io.put(NvmeHost.blocks(WRITE, 2048L * i, 8));
        }
        disk.takeRequests();
        host.write(0x1008, host.io.tail);
        int most = disk.takeRequests();
        while (host.model.poll()) {
          most = Math.max(most, disk.takeRequests());
        }
        assertThat(most).isBetween(round == 0 ? 2 : 100, round == 0 ? 4 : 300);
        assertThat(host.io.takeAll()).hasSize(500).allMatch(each -> each.status() == 0);
        host.io.acknowledge();
      }
      putRanges(host, 256, 2048, 2048);
      host.write(0x1008, host.io.tail);
      int most = disk.takeRequests();
      while (host.model.poll()) {
        most = Math.max(most, disk.takeRequests());
      }
      assertThat(most).as("so is giving it back").isBetween(4, 16);
      assertThat(host.io.takeAll()).singleElement().matches(each -> each.status() == 0);
      assertThat(disk.allocatedBytes()).isEqualTo((500 - 256) * 4096);
    }
  }

  /** There is a bound to what is under way; who wants to abort some of it is not bound by it. */
  @Test
  void administersAlsoWhenAsManyCommandsAreUnderWayAsCanBe() {
    var disk = new HeldStorage(16 * MIB);
    try (var host = started(in(disk))) {
      int many = 2048;
      var queues = new ArrayList<Queues>();
      for (int i = 0; i < 3; i++) {
        long at = 0x10_0000L + 0x3_0000L * i;
        queues.add(host.createQueues(2 + i, at, at + 0x2_0000, many));
      }
      disk.holds = true;
      disk.isCancelling = true;
      int first = 0;
      for (var queue : queues) {
        first = queue.nextCommandId;
        for (int i = 0; i < many - 1; i++) {
          queue.put(NvmeHost.blocks(READ, i, 1).at(OTHER));
        }
        queue.ring();
      }
      host.settle();
      int held = disk.heldCount();
      assertThat(held).isLessThan(3 * (many - 1));

      assertThat(host.admin.run(Command.admin(0x0a, 7, 0)).status()).isZero();
      assertThat(host.admin.run(Command.admin(0x08, (first << 16) | 2, 0)).result()).isZero();
      assertThat(queues.getFirst().takeAll())
          .singleElement()
          .matches(each -> each.status() == 0x007);
      assertThat(disk.heldCount()).as("another one in its place").isEqualTo(held);

      disk.releaseAll();
      while (host.model.poll()) {
        // All of them.
      }
      int done = 0;
      for (var queue : queues) {
        done += queue.takeAll().size();
      }
      assertThat(done).isEqualTo(3 * (many - 1) - 1);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void registersAnswerWhileAFileHangs(boolean byRing) throws IOException {
    var kernel = new FaultKernel();
    var file = directory.resolve("disk");
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, 64 * MIB)).withKernel(kernel);
    try (var host = started(byRing ? options : options.withoutRing())) {
      kernel.rule(_ -> FaultKernel.HELD);
      int[] opcodes = {READ, WRITE, 0, 5, 8, VERIFY};
      for (int i = 0; i < 600; i++) {
        host.io.put(NvmeHost.blocks(opcodes[i % 6], 8L * (i % 64), 8));
      }
      host.io.ring();
      kernel.awaitHeld(8, host);
      long[] nanos = new long[REGISTERS];
      for (int i = 0; i < REGISTERS; i++) {
        if (i % 4 == 0) {
          host.io.put(NvmeHost.blocks(READ, i, 1));
        }
        long begin = System.nanoTime();
        switch (i % 4) {
          case 0 -> host.write(0x1008, host.io.tail);
          case 1 -> host.model.poll();
          case 2 -> assertThat(host.status()).isEqualTo(1);
          default -> host.write(0x100c, host.io.head);
        }
        nanos[i] = System.nanoTime() - begin;
      }
      Arrays.sort(nanos);
      assertThat(nanos[REGISTERS * 99 / 100]).as("p99 in ns").isLessThan(10_000_000);
      assertThat(host.io.takeAll()).isEmpty();

      long begin = System.nanoTime();
      host.configure(0);
      assertThat(System.nanoTime() - begin).isLessThan(1_000_000_000L);
      kernel.rule(null);
      kernel.releaseAll();
      for (int i = 0; i < 1000 && host.status() != 0; i++) {
        host.awaitRequest();
      }
      assertThat(host.status()).isZero();
    }
  }
}
