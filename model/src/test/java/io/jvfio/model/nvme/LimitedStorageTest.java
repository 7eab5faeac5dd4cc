// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.NvmeHost.Command;
import io.jvfio.model.nvme.NvmeHost.Completion;
import io.jvfio.model.nvme.StorageRequest.Operation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A disk that is not used faster than its operator wishes, by the clock of the test. */
class LimitedStorageTest {
  private static final long SECOND = 1_000_000_000;
  private static final long NO_LIMIT = Long.MAX_VALUE;
  private static final int KIB = 1 << 10;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory = arena.allocate(128 * KIB, 8);
  private final HandClock clock = new HandClock();
  private final HeldStorage disk = new HeldStorage(1 << 20);

  /** The requests that have ended, in the order of their ends. */
  private final List<StorageRequest> ended = new ArrayList<>();

  private int polls;

  @AfterEach
  void close() {
    arena.close();
  }

  private LimitedStorage limited(long requestsPerSecond, long bytesPerSecond) {
    var storage = new LimitedStorage(disk, requestsPerSecond, bytesPerSecond, clock);
    clock.connect(
        () -> {
          polls++;
          storage.poll();
        });
    return storage;
  }

  private StorageRequest request(Operation operation, long byteSize) {
    var made = new StorageRequest(ended::add);
    return switch (operation) {
      case READ, WRITE -> made.transfer(operation, 0, byteSize, memory);
      case CLEAR, ZERO, SYNC -> made.range(operation, 0, byteSize, false);
    };
  }

  private StorageRequest submit(LimitedStorage storage, Operation operation, long byteSize) {
    var request = request(operation, byteSize);
    storage.submit(request);
    storage.start();
    return request;
  }

  /** Submits so many at once, and returns them. */
  private List<StorageRequest> submit(LimitedStorage storage, int count, long byteSize) {
    var requests = new ArrayList<StorageRequest>();
    for (int i = 0; i < count; i++) {
      requests.add(submit(storage, i % 2 == 0 ? Operation.READ : Operation.WRITE, byteSize));
    }
    return requests;
  }

  /** What has ended after each of so many steps of time. */
  private List<Integer> endsAfterEach(int steps, long nanos) {
    var counts = new ArrayList<Integer>();
    for (int i = 0; i < steps; i++) {
      clock.advance(nanos);
      counts.add(ended.size());
    }
    return counts;
  }

  @Test
  void keepsTheRateOfRequests() {
    try (var storage = limited(1000, NO_LIMIT)) {
      submit(storage, 3000, 512);
      assertThat(ended).hasSize(1);

      assertThat(endsAfterEach(3, SECOND / 2)).containsExactly(501, 1001, 1501);
      assertThat(endsAfterEach(100, SECOND / 1000)).endsWith(1599, 1600, 1601);
      assertThat(endsAfterEach(4, SECOND)).endsWith(3000);
      assertThat(storage.isIdle()).isTrue();
    }
  }

  @Test
  void keepsTheRateOfBytesWhateverTheRequestsAreLike() {
    try (var storage = limited(NO_LIMIT, 1_024_000)) {
      long bytes = 0;
      var sizes = new ArrayList<Integer>();
      for (int i = 0; i < 500; i++) {
        int size = 512 << (i % 8);
        sizes.add(size);
        submit(storage, Operation.WRITE, size);
      }
      for (int second = 1; second <= 3; second++) {
        clock.advance(SECOND);
        bytes = sizes.subList(0, ended.size()).stream().mapToLong(each -> each).sum();
        // One that has begun may be more than there was time for, by its size.
        assertThat(bytes).isBetween(1_024_000L * second, 1_024_000L * second + 64 * KIB);
      }
    }
  }

  @Test
  void keepsBothRatesAtOnce() {
    try (var storage = limited(100, 1_024_000)) {
      submit(storage, 300, 512);
      clock.advance(2 * SECOND);
      assertThat(ended).as("small ones, by their number").hasSize(201);
      clock.advance(SECOND);
      ended.clear();
      clock.advance(SECOND / 2);

      submit(storage, 300, 100 * KIB);
      clock.advance(2 * SECOND);
      assertThat(ended).as("large ones, by their bytes").hasSizeBetween(20, 22);
    }
  }

  @Test
  void letsATenthOfASecondsWorthPassAtOnceAfterAPauseAndNoMore() {
    try (var storage = limited(1000, NO_LIMIT)) {
      submit(storage, 10, 512);
      clock.advance(3600 * SECOND);
      ended.clear();

      submit(storage, 2000, 512);
      assertThat(ended).hasSize(101);
      assertThat(endsAfterEach(2, SECOND / 2)).containsExactly(601, 1101);
    }
  }

  @Test
  void goesOnInTheOrderOfTheirComing() {
    try (var storage = limited(10, NO_LIMIT)) {
      var requests = submit(storage, 20, 512);
      clock.advance(60 * SECOND);
      assertThat(ended).isEqualTo(requests);
      ended.clear();

      // One that comes when there would be time for it is not before those that wait.
      var first = submit(storage, 3, 512);
      clock.advanceSilently(SECOND / 2);
      var late = submit(storage, 3, 512);
      clock.advance(60 * SECOND);
      assertThat(ended).containsExactlyElementsOf(concatenated(first, late));
    }
  }

  private static List<StorageRequest> concatenated(
      List<StorageRequest> some, List<StorageRequest> more) {
    var all = new ArrayList<>(some);
    all.addAll(more);
    return all;
  }

  @Test
  void takesBackOneThatWaitsAndNothingIsDoneOfIt() {
    try (var storage = limited(10, NO_LIMIT)) {
      var requests = submit(storage, 4, 512);
      disk.takeOperations();

      assertThat(storage.cancel(requests.get(2))).isTrue();
      assertThat(requests.get(2).result()).isEqualTo(StorageResult.CANCELLED);
      assertThat(storage.cancel(requests.get(2))).as("it has ended").isFalse();
      assertThat(storage.cancel(requests.get(0))).as("it has ended").isFalse();

      clock.advance(SECOND);
      assertThat(ended)
          .containsExactly(requests.get(0), requests.get(2), requests.get(1), requests.get(3));
      assertThat(disk.takeOperations()).containsExactly(Operation.WRITE, Operation.WRITE);
      assertThat(requests.get(3).result()).isEqualTo(StorageResult.DONE);
    }
  }

  @Test
  void takesBackOneThatHasPassedIfTheDiskDoes() {
    try (var storage = limited(10, NO_LIMIT)) {
      disk.holds = true;
      disk.isCancelling = true;
      var request = submit(storage, Operation.READ, 512);

      assertThat(storage.cancel(request)).isTrue();
      assertThat(ended).containsExactly(request);
    }
  }

  /** Whoever is early after that has to be woken all the same. */
  @Test
  void isWokenForThoseThatComeAfterAllThatWaitedWereTakenBack() {
    try (var storage = limited(10, NO_LIMIT)) {
      var requests = submit(storage, 2, 512);
      assertThat(storage.cancel(requests.get(1))).isTrue();
      clock.advance(SECOND);
      ended.clear();

      submit(storage, 4, 512);
      clock.advance(SECOND);
      assertThat(ended).hasSize(4);
    }
  }

  @Test
  void isWokenForThoseThatComeWhenItWasToBeWokenForOneTakenBack() {
    try (var storage = limited(10, NO_LIMIT)) {
      var requests = submit(storage, 2, 512);
      assertThat(storage.cancel(requests.get(1))).isTrue();
      clock.advanceSilently(SECOND / 10);
      submit(storage, 3, 512);
      clock.advance(SECOND);
      assertThat(ended).hasSize(5);
    }
  }

  @Test
  void isWokenAtTheTimeOfTheNextAndNotOftener() {
    try (var storage = limited(100, NO_LIMIT)) {
      submit(storage, 101, 512);
      assertThat(clock.waiting()).isEqualTo(1);
      endsAfterEach(1000, SECOND / 1000);
      assertThat(ended).hasSize(101);
      assertThat(polls).isEqualTo(100);
      assertThat(clock.waiting()).isZero();
    }
  }

  /** A flush takes no bytes, and what it has to wait for has been written already. */
  @Test
  void aFlushDoesNotWaitForWhatIsTooEarly() {
    try (var storage = limited(10, 100 * KIB)) {
      submit(storage, 10, 100 * KIB);
      assertThat(ended).hasSize(1);

      var flush = submit(storage, Operation.SYNC, 1 << 20);
      assertThat(ended).contains(flush);
      ended.clear();

      for (int i = 0; i < 100; i++) {
        submit(storage, Operation.SYNC, 1 << 20);
      }
      assertThat(ended).hasSize(100);
      clock.advance(SECOND);
      assertThat(ended).as("nobody else waits longer for it").hasSize(101);
    }
  }

  @Test
  void clearingTakesNoBytesButItsTurn() {
    try (var storage = limited(10, 1)) {
      for (int i = 0; i < 12; i++) {
        submit(storage, i % 2 == 0 ? Operation.CLEAR : Operation.ZERO, 1 << 20);
      }
      assertThat(endsAfterEach(2, SECOND / 2)).containsExactly(6, 11);
    }
  }

  @Test
  void isQuietWhenTheDiskIsAndIdleWhenNothingWaitsEither() {
    try (var storage = limited(10, NO_LIMIT)) {
      disk.holds = true;
      submit(storage, 2, 512);
      assertThat(storage.isQuiet()).isFalse();
      disk.releaseAll();
      assertThat(storage.isQuiet()).as("what waits uses no memory").isTrue();
      assertThat(storage.isIdle()).isFalse();
      clock.advance(SECOND);
      assertThat(storage.isIdle()).isTrue();
    }
  }

  @Test
  void nobodyIsForgottenAtItsEnd() {
    var storage = limited(10, NO_LIMIT);
    disk.holds = true;
    var requests = submit(storage, 5, 512);
    storage.close();

    assertThat(ended).containsExactlyInAnyOrderElementsOf(requests);
    assertThat(requests.get(0).result()).as("it had begun").isEqualTo(StorageResult.DONE);
    assertThat(requests.subList(1, 5))
        .extracting(StorageRequest::result)
        .containsOnly(StorageResult.CANCELLED);
    assertThat(disk.isClosed()).isTrue();
  }

  /** After a stall there is much to do; a register does not wait for all of it. */
  @Test
  void doesNotCatchUpAllAtOnce() {
    try (var storage = limited(1_000_000, NO_LIMIT)) {
      submit(storage, 4000, 64 * KIB);
      ended.clear();
      clock.advanceSilently(SECOND / 10);
      storage.poll();
      assertThat(ended).hasSizeLessThan(64);
      clock.advance(SECOND);
      int rounds = 0;
      while (!storage.isIdle() && rounds < 1000) {
        storage.poll();
        rounds++;
      }
      assertThat(storage.isIdle()).isTrue();
    }
  }

  /** Through a controller: what was acknowledged is there when the disk is opened again. */
  @Test
  void aControllerIsHeldToItsLimitsAndCanAbortWhatWaits() {
    var limits = NvmeNamespaceOptions.in(disk).withLimits(10, NO_LIMIT);
    try (var host = new NvmeHost(NvmeModelOptions.of("S", limits).withWake(clock)).enable()) {
      var queue = host.createQueues(1, 0x4_0000, 0x5_0000, 64);
      var ids = new ArrayList<Integer>();
      for (int i = 0; i < 20; i++) {
        ids.add(queue.put(NvmeHost.blocks(1, i, 1).at(DATA)));
      }
      queue.ring();
      assertThat(queue.takeAll()).hasSize(1);

      assertThat(abort(host, ids.get(5)).result()).as("it waited").isZero();
      var aborted = queue.takeAll();
      assertThat(aborted).hasSize(1);
      assertThat(aborted.getFirst().commandId()).isEqualTo(ids.get(5));
      assertThat(aborted.getFirst().status()).isEqualTo(0x007);
      assertThat(abort(host, ids.get(0)).result()).as("it was done").isEqualTo(1);

      var done = new ArrayList<Completion>();
      for (int i = 0; i < 10; i++) {
        clock.advance(SECOND / 10);
        host.settle();
        done.addAll(queue.takeAll());
        queue.acknowledge();
      }
      assertThat(done).hasSize(10).extracting(Completion::status).containsOnly(0);
      assertThat(queue.run(new Command(0, 1, 0, 0, 0, 0, 0)).status()).as("a flush").isZero();

      host.configure(0);
      assertThat(host.status()).as("nothing that waits keeps a reset").isZero();
      disk.takeOperations();
      clock.advance(60 * SECOND);
      host.settle();
      assertThat(disk.takeOperations()).isEmpty();
    }
    assertThat(disk.isClosed()).isTrue();
  }

  private static Completion abort(NvmeHost host, int commandId) {
    return host.admin.run(Command.admin(0x08, (commandId << 16) | 1, 0));
  }
}
