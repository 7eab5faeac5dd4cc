// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.jvfio.linux.Errno;
import io.jvfio.model.ResetReason;
import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import io.jvfio.model.nvme.NvmeHost.Completion;
import io.jvfio.model.nvme.StorageRequest.Operation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Queues that are deleted, and controllers that are reset and shut down, while a disk works. */
class NvmeResetInFlightTest {
  private static final int FLUSH = 0;
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int SIZE = 1 << 20;
  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;
  private static final int ENTRIES = 64;
  private static final long OTHER = 0x20_0000;
  private static final long DOORBELLS = 0x8_0000;
  private static final long EVENTS = 0x8_1000;
  private static final int READY = 1;
  private static final int SHUTDOWN_OCCURRING = 4;
  private static final int SHUTDOWN_COMPLETE = 8;
  private static final int ENABLED = 0x0046_0001;
  private static final int SHUTDOWN = 0x0046_4001;
  private static final Command DELETE_QUEUE = Command.admin(0x00, 1, 0);
  private static final Command FLUSH_ALL = new Command(FLUSH, 1, 0, 0, 0, 0, 0);

  @TempDir Path directory;

  private final HeldStorage disk = new HeldStorage(SIZE);
  private final FaultKernel kernel = new FaultKernel();
  private final HandClock clock = new HandClock();

  private NvmeHost onHeldDisk() {
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.in(disk)).withWake(clock);
    return withQueues(new NvmeHost(options, true));
  }

  private NvmeHost onFile(boolean byRing, boolean lends) throws IOException {
    byte[] bytes = new byte[SIZE];
    Arrays.fill(bytes, (byte) 0x11);
    var file = Files.write(directory.resolve("disk"), bytes);
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE))
            .withKernel(kernel)
            .withWake(clock);
    return withQueues(new NvmeHost(byRing ? options : options.withoutRing(), lends));
  }

  static Stream<Arguments> ways() {
    return Stream.of(false, true)
        .flatMap(ring -> Stream.of(false, true).map(lends -> Arguments.of(ring, lends)));
  }

  private static NvmeHost withQueues(NvmeHost host) {
    host.enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    return host;
  }

  private static void put(NvmeHost host, Command... commands) {
    for (var each : commands) {
      host.io.put(each);
    }
    host.io.ring();
  }

  /** What is in the old completion queue, which nobody uses any more. */
  private static int newEntries(NvmeHost host) {
    return host.io.takeAll().size();
  }

  private static void assertWorks(NvmeHost host) {
    assertThat(host.status()).isEqualTo(READY);
    for (int i = 0; i < 3 * ENTRIES; i++) {
      host.memory.asSlice(DATA, 512).fill((byte) i);
      assertThat(host.io.run(NvmeHost.blocks(WRITE, 500 + i, 1)).status()).isZero();
      assertThat(host.io.run(NvmeHost.blocks(READ, 500 + i, 1).at(OTHER)).status()).isZero();
      assertThat(host.memory.get(LE8, OTHER + 511)).isEqualTo((byte) i);
    }
    assertThat(host.io.run(FLUSH_ALL).status()).isZero();
  }

  private void releaseAll(NvmeHost host) {
    disk.releaseAll();
    host.model.poll();
    host.settle();
  }

  @Test
  void theDeletionOfAQueueWaitsForItsCommands() {
    try (var host = onHeldDisk()) {
      disk.holds = true;
      put(host, NvmeHost.blocks(READ, 0, 1), NvmeHost.blocks(WRITE, 1, 1));
      int deletion = host.admin.put(DELETE_QUEUE);
      host.admin.ring();
      assertThat(host.admin.takeAll()).isEmpty();

      assertThat(host.admin.run(Command.admin(0x0a, 7, 0)).status()).as("others go on").isZero();
      assertThat(host.admin.run(Command.admin(0x04, 1, 0)).status())
          .as("its completion queue is in use")
          .isEqualTo(0x410c);
      put(host, NvmeHost.blocks(READ, 5, 1));
      assertThat(disk.takeOperations()).containsExactly(Operation.READ, Operation.WRITE);

      disk.release();
      host.model.poll();
      assertThat(host.admin.takeAll()).isEmpty();
      releaseAll(host);

      assertThat(host.io.takeAll()).hasSize(2).allMatch(each -> each.status() == 0);
      var deleted = host.admin.takeAll();
      assertThat(deleted).extracting(Completion::commandId).containsExactly(deletion);
      assertThat(deleted.getFirst().status()).isZero();
      host.admin.acknowledge();
      assertThat(host.admin.run(DELETE_QUEUE).status()).as("gone").isEqualTo(0x4101);
      assertThat(disk.takeOperations()).as("nothing was fetched since").isEmpty();
      assertThat(host.admin.run(Command.admin(0x04, 1, 0)).status()).isZero();
      host.io = host.createQueues(1, SQ, CQ, ENTRIES);
      assertWorks(host);
    }
  }

  @Test
  void theDeletionOfAQueueTakesBackWhatHasNotBegun() {
    try (var host = onHeldDisk()) {
      disk.holds = true;
      disk.isCancelling = true;
      put(host, NvmeHost.blocks(READ, 0, 1), NvmeHost.blocks(WRITE, 1, 1), FLUSH_ALL);

      assertThat(host.admin.run(DELETE_QUEUE).status()).isZero();

      assertThat(host.io.takeAll()).hasSize(3).allMatch(each -> each.status() == 0x008);
      disk.holds = false;
      assertThat(host.admin.run(Command.admin(0x04, 1, 0)).status()).isZero();
      host.io = host.createQueues(1, SQ, CQ, ENTRIES);
      assertWorks(host);
    }
  }

  /** Software may have put more into the queue, and told so in memory. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aQueueThatIsBeingDeletedDoesNotKeepTheControllerBusy(boolean isPolled) {
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.in(disk)).withWake(clock);
    try (var host = withQueues(new NvmeHost(isPolled ? options.withPolling() : options))) {
      host.memory.asSlice(DOORBELLS, 0x2000).fill((byte) 0);
      var configure = Command.admin(0x7c, 0, 0).at(DOORBELLS, EVENTS);
      assertThat(host.admin.run(configure).status()).isZero();
      disk.holds = true;
      host.io.put(NvmeHost.blocks(READ, 0, 1));
      host.memory.set(LE32, DOORBELLS + 8, host.io.tail);
      host.io.ring();
      host.model.poll();
      assertThat(disk.takeOperations()).hasSize(1);
      int deletion = host.admin.put(DELETE_QUEUE);
      host.admin.ring();
      host.io.put(NvmeHost.blocks(READ, 1, 1));
      host.memory.set(LE32, DOORBELLS + 8, host.io.tail);

      assertTimeoutPreemptively(
          Duration.ofSeconds(10),
          () -> {
            host.io.ring();
            host.model.poll();
          });
      assertThat(host.admin.run(Command.admin(0x0a, 7, 0)).status()).isZero();
      assertThat(disk.takeOperations()).isEmpty();
      releaseAll(host);
      assertThat(host.admin.takeAll()).extracting(Completion::commandId).containsExactly(deletion);
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void isReadyUntilNobodyUsesItsHostsMemory(boolean byRing, boolean lends) throws IOException {
    try (var host = onFile(byRing, lends)) {
      kernel.rule(call -> call.kind() == Kind.READ ? FaultKernel.HELD : null);
      host.memory.asSlice(DATA, 0x3000).fill((byte) 0x77);
      put(host, NvmeHost.blocks(READ, 0, 8), NvmeHost.blocks(READ, 8, 8).at(DATA + 0x1000));
      // One that waits for the first.
      put(host, NvmeHost.blocks(WRITE, 4, 8).at(DATA + 0x2000));
      kernel.awaitHeld(2, host);

      host.configure(ENABLED & ~1);

      if (lends) {
        assertThat(host.status()).isEqualTo(READY);
        assertThat(host.read(0x14)).isZero();
        kernel.release(FaultKernel.MADE);
        awaitPoll(host);
        assertThat(host.status()).as("one is under way").isEqualTo(READY);
        kernel.release(FaultKernel.MADE);
        awaitPoll(host);
      }
      assertThat(host.status()).isZero();
      assertThat(host.leases).hasValue(0);
      host.memory.asSlice(DATA, 0x3000).fill((byte) 0x55); // it is the host's again

      kernel.rule(null);
      withQueues(host);
      assertWorks(host);
      kernel.releaseAll();
      awaitPoll(host);
      assertThat(newEntries(host)).as("nothing completes that was before").isZero();
      assertThat(host.memory.asSlice(DATA + 0x1000, 0x2000).toArray(LE8)).containsOnly(0x55);
      assertThat(host.io.run(NvmeHost.blocks(READ, 4, 8).at(OTHER)).status()).isZero();
      assertThat(host.memory.get(LE8, OTHER)).as("the write never began").isEqualTo((byte) 0x11);
    }
  }

  private static void awaitPoll(NvmeHost host) {
    for (int i = 0; i < 5; i++) {
      host.awaitRequest();
    }
  }

  /** A flush and a deallocation use no memory of the host's: they do not keep a reset waiting. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void doesNotWaitForAFlushThatHangs(boolean byRing) throws IOException {
    try (var host = onFile(byRing, true)) {
      kernel.rule(
          call ->
              call.kind() == Kind.SYNC || call.kind() == Kind.ALLOCATE ? FaultKernel.HELD : null);
      put(host, FLUSH_ALL, new Command(8, 1, 0, 0, 0, 0, 7));
      kernel.awaitHeld(2, host);

      host.configure(0);
      assertThat(host.status()).isZero();
      kernel.rule(null);
      withQueues(host);
      assertThat(host.io.run(NvmeHost.blocks(WRITE, 64, 8)).status()).isZero();
      put(host, NvmeHost.blocks(READ, 0, 8));
      assertThat(host.io.takeAll()).as("what overlaps still waits").isEmpty();
      kernel.releaseAll();
      var done = host.io.await(1);
      host.io.acknowledge();
      assertThat(done).extracting(Completion::status).containsExactly(0);
      assertThat(host.memory.get(LE32, DATA)).isZero();
      assertWorks(host);
    }
  }

  @Test
  void aResetTakesBackWhatHasNotBegun() {
    try (var host = onHeldDisk()) {
      disk.holds = true;
      disk.isCancelling = true;
      put(host, NvmeHost.blocks(READ, 0, 1), NvmeHost.blocks(WRITE, 1, 1), FLUSH_ALL);
      host.configure(0);

      assertThat(host.status()).isZero();
      assertThat(disk.heldCount()).isZero();
      disk.holds = false;
      withQueues(host);
      assertWorks(host);
    }
  }

  @Test
  void aResetForgetsADeletionThatWaits() {
    try (var host = onHeldDisk()) {
      disk.holds = true;
      put(host, NvmeHost.blocks(READ, 0, 1));
      host.admin.put(DELETE_QUEUE);
      host.admin.ring();
      host.configure(0);
      releaseAll(host);
      assertThat(host.status()).isZero();
      withQueues(host);
      host.model.poll();
      assertThat(host.admin.takeAll()).isEmpty();
      assertWorks(host);
    }
  }

  /** Software should not, but may: enable a controller again that is not done with its reset. */
  @Test
  void startsOnceItIsQuietIfItWasEnabledTooEarly() {
    try (var host = onHeldDisk()) {
      disk.holds = true;
      put(host, NvmeHost.blocks(READ, 0, 1));
      host.configure(0);
      assertThat(host.status()).isEqualTo(READY);
      host.enable();
      assertThat(host.status()).isEqualTo(READY);
      releaseAll(host);
      assertThat(host.status()).isEqualTo(READY);
      host.io = host.createQueues(1, SQ, CQ, ENTRIES);
      assertWorks(host);
    }
  }

  @Test
  void startsAtOnceIfItHasBecomeQuietByTheNextReset() {
    try (var host = onHeldDisk()) {
      disk.holds = true;
      put(host, NvmeHost.blocks(READ, 0, 1));
      host.configure(0);
      host.enable();
      disk.releaseAll(); // nobody looks
      host.configure(0);
      assertThat(host.status()).isZero();
      withQueues(host);
      assertWorks(host);
    }
  }

  /** Nobody can say when a disk answers that hangs; who has it has to know. */
  @Test
  void tellsOfADiskThatHangsAcrossAReset() {
    try (var log = new LogLines();
        var host = onHeldDisk()) {
      disk.holds = true;
      put(host, NvmeHost.blocks(READ, 0, 1));
      host.configure(0);
      for (int second = 0; second < 60; second++) {
        clock.advance(1_000_000_000);
        host.settle();
        assertThat(host.status()).isEqualTo(READY);
      }
      assertThat(log.take()).singleElement().asString().contains("CSTS.RDY stays 1");
      releaseAll(host);
      assertThat(host.status()).isZero();
      withQueues(host);
      assertWorks(host);
      assertThat(log.take()).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource(ResetReason.class)
  void aResetOfTheDeviceTakesABoundedTimeAndTellsOfAHangingDisk(ResetReason reason) {
    try (var log = new LogLines();
        var host = onHeldDisk()) {
      disk.holds = true;
      put(host, NvmeHost.blocks(READ, 0, 1));

      long begin = System.nanoTime();
      host.model.reset(reason);
      assertThat(System.nanoTime() - begin).isLessThan(3_000_000_000L);

      assertThat(host.status()).isZero();
      if (reason == ResetReason.CLIENT_LOST) {
        assertThat(log.take()).isEmpty();
      } else {
        assertThat(log.take()).singleElement().asString().contains("its disk did not answer");
      }
      withQueues(host);
      disk.holds = false;
      assertWorks(host);
      releaseAll(host);
      assertThat(newEntries(host)).isZero();
      assertWorks(host);
    }
  }

  /** What was read for the last client is not written to the memory of the next one. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void dataThatComesAfterAResetOfTheDeviceGoesNowhere(boolean byRing) throws IOException {
    try (var host = onFile(byRing, false)) {
      kernel.rule(call -> call.kind() == Kind.READ ? FaultKernel.HELD : null);
      put(host, NvmeHost.blocks(READ, 0, 8));
      kernel.awaitHeld(1, host);
      host.model.reset(ResetReason.CLIENT_LOST);
      host.memory.asSlice(DATA, 4096).fill((byte) 0x55);

      kernel.rule(null);
      kernel.releaseAll();
      awaitPoll(host);

      assertThat(host.memory.asSlice(DATA, 4096).toArray(LE8)).containsOnly(0x55);
      withQueues(host);
      assertWorks(host);
    }
  }

  @Test
  void aShutdownIsCompleteWhenAllIsPersistent() {
    try (var host = onHeldDisk()) {
      host.io.run(NvmeHost.blocks(WRITE, 0, 1));
      disk.takeOperations();
      disk.holds = true;
      host.configure(SHUTDOWN);
      assertThat(host.status()).isEqualTo(READY | SHUTDOWN_OCCURRING);
      host.model.poll();
      assertThat(host.status()).isEqualTo(READY | SHUTDOWN_OCCURRING);
      assertThat(disk.takeOperations()).containsExactly(Operation.SYNC);
      assertThat(host.admin.run(Command.admin(0x0a, 7, 0)).status()).isZero();

      releaseAll(host);
      assertThat(host.status()).isEqualTo(READY | SHUTDOWN_COMPLETE);
      host.configure(0);
      assertThat(host.status()).isZero();
      withQueues(host);
      assertWorks(host);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aShutdownMakesAFilePersistentAlsoIfThatFails(boolean byRing) throws IOException {
    try (var log = new LogLines();
        var host = onFile(byRing, true)) {
      kernel.record();
      kernel.rule(call -> call.kind() == Kind.SYNC ? FaultKernel.HELD : null);
      host.configure(SHUTDOWN);
      kernel.awaitHeld(1, host);
      assertThat(host.status()).isEqualTo(READY | SHUTDOWN_OCCURRING);
      assertThat(kernel.calls())
          .singleElement()
          .matches(call -> call.kind() == Kind.SYNC && call.offset() == 0 && call.byteSize() == 0);
      kernel.rule(null);
      kernel.release(FaultKernel.errno(Errno.EIO));
      awaitPoll(host);
      assertThat(host.status()).isEqualTo(READY | SHUTDOWN_COMPLETE);
      assertThat(log.take()).singleElement().asString().contains("fdatasync").contains("EIO");
    }
  }

  @Test
  void aShutdownOfAControllerThatIsNotEnabledOrHasFailedFlushesToo() {
    try (var host = onHeldDisk()) {
      host.configure(0);
      disk.takeOperations();
      disk.holds = true;
      host.configure(0x0046_4000);
      assertThat(host.status()).isEqualTo(SHUTDOWN_OCCURRING);
      releaseAll(host);
      assertThat(host.status()).isEqualTo(SHUTDOWN_COMPLETE);
      assertThat(disk.takeOperations()).containsExactly(Operation.SYNC);

      host.configure(0);
      withQueues(host);
      host.mappedEnd = SQ;
      put(host, FLUSH_ALL);
      assertThat(host.status()).isEqualTo(READY | 2);
      disk.holds = true;
      host.configure(SHUTDOWN);
      assertThat(host.status()).isEqualTo(READY | 2 | SHUTDOWN_OCCURRING);
      releaseAll(host);
      assertThat(host.status()).isEqualTo(READY | 2 | SHUTDOWN_COMPLETE);
    }
  }

  @Test
  void aResetEndsAShutdown() {
    try (var host = onHeldDisk()) {
      disk.holds = true;
      host.configure(SHUTDOWN);
      host.configure(0);
      withQueues(host);
      int before = host.status();
      releaseAll(host);
      assertThat(before & SHUTDOWN_OCCURRING).isZero();
      assertThat(host.status()).isEqualTo(READY);
      assertWorks(host);
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void itsEndWaitsForWhatTheKernelIsAtAndLosesNothing(boolean byRing, boolean lends)
      throws Exception {
    try (var host = onFile(byRing, lends)) {
      kernel.rule(call -> call.kind() == Kind.WRITE ? FaultKernel.HELD : null);
      host.memory.asSlice(DATA, 4096).fill((byte) 0x66);
      put(host, NvmeHost.blocks(WRITE, 0, 8), NvmeHost.blocks(READ, 0, 8).at(OTHER));
      kernel.awaitHeld(1, host);
      kernel.record();

      var closing = Thread.ofPlatform().start(host.model::close);
      closing.join(50);
      assertThat(closing.isAlive()).as("it waits").isTrue();
      kernel.releaseAll();
      closing.join(10_000);

      assertThat(closing.isAlive()).isFalse();
      assertThat(host.leases).hasValue(0);
      assertThat(newEntries(host)).isZero();
      byte[] bytes = Files.readAllBytes(directory.resolve("disk"));
      assertThat(Arrays.copyOf(bytes, 4096)).containsOnly(0x66);
      assertThat(kernel.calls()).extracting(FaultKernel.Call::kind).isEqualTo(List.of(Kind.SYNC));
    }
  }

  /** Software that is impatient resets again, which is told of as if it had waited. */
  @Test
  void tellsOfADiskThatHangsAcrossManyResets() {
    try (var log = new LogLines();
        var host = onHeldDisk()) {
      disk.holds = true;
      put(host, NvmeHost.blocks(READ, 0, 1));
      host.configure(0);
      for (int i = 0; i < 59; i++) {
        clock.advance(100_000_000);
        host.settle();
        host.configure(ENABLED);
        host.configure(0);
        assertThat(clock.waiting()).isLessThanOrEqualTo(1);
      }
      assertThat(log.take()).singleElement().asString().contains("CSTS.RDY stays 1");

      releaseAll(host);
      put(withQueues(host), NvmeHost.blocks(READ, 0, 1));
      disk.holds = true;
      put(host, NvmeHost.blocks(READ, 0, 1));
      host.configure(0);
      clock.advance(4_900_000_000L);
      host.settle();
      assertThat(log.take()).as("the next one has its own time").isEmpty();
      clock.advance(200_000_000);
      host.settle();
      assertThat(log.take()).hasSize(1);
    }
  }

  /** Nothing but two registers is needed to ask for one after the other. */
  @Test
  void aShutdownThatIsAskedForAgainAndAgainIsOneFlushAtATime() {
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.in(disk)).withWake(clock);
    try (var host = new NvmeHost(options)) {
      disk.holds = true;
      for (int i = 0; i < 1000; i++) {
        host.configure(0);
        host.configure(SHUTDOWN & ~ENABLED);
      }
      assertThat(disk.takeOperations()).containsExactly(Operation.SYNC);

      disk.release();
      host.model.poll();

      assertThat(disk.takeOperations()).as("it began too early").containsExactly(Operation.SYNC);
      assertThat(host.status()).isEqualTo(SHUTDOWN_OCCURRING);
      host.configure(0);
      assertThat(host.status()).as("it still is").isEqualTo(SHUTDOWN_OCCURRING);
      disk.release();
      host.model.poll();
      assertThat(disk.takeOperations()).isEmpty();
      assertThat(host.status()).isEqualTo(SHUTDOWN_COMPLETE);
      host.configure(0);
      assertThat(host.status()).isZero();
    }
  }

  @Test
  void theFlushOfAShutdownBeforeAResetIsNotThatOfTheNext() {
    try (var host = onHeldDisk()) {
      disk.holds = true;
      host.configure(SHUTDOWN);
      for (int i = 0; i < 100; i++) {
        host.configure(0);
        host.enable();
        host.configure(SHUTDOWN);
      }
      assertThat(disk.takeOperations()).containsExactly(Operation.SYNC);

      disk.release();
      host.model.poll();
      assertThat(host.status()).isEqualTo(READY | SHUTDOWN_OCCURRING);
      assertThat(disk.takeOperations()).containsExactly(Operation.SYNC);

      disk.release();
      host.model.poll();
      assertThat(host.status()).isEqualTo(READY | SHUTDOWN_COMPLETE);
    }
  }
}
