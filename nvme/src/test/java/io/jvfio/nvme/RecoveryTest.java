// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.DmaBuffer;
import io.jvfio.VfioException;
import io.jvfio.model.nvme.NvmeFailure;
import io.jvfio.model.nvme.NvmeFault;
import io.jvfio.model.nvme.NvmeFaults;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What becomes of commands when the controller does not do what it should. */
class RecoveryTest {
  private static final int READ = 0x02;
  private static final int WRITE = 0x01;
  private static final int ABORT_REQUESTED = 0x007;
  private static final int ABORTED_BY_HOST = 0x371;
  private static final long SECOND = 1_000_000_000;
  private static final NvmeOptions IMPATIENT =
      NvmeOptions.defaults().withCommandTimeout(Duration.ofMillis(100));

  /** Time enough for a device whose thread has to wait for a processor, on a busy machine. */
  private static final NvmeOptions LESS_IMPATIENT =
      NvmeOptions.defaults().withCommandTimeout(Duration.ofSeconds(1));

  private final NvmeFaults faults = new NvmeFaults();
  private final FakeDevice device =
      new FakeDevice(
          NvmeModel.of(
              NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)).withFaults(faults)));
  private final DmaBuffer data = device.dmaSpace().allocate(64 << 10);
  private final NvmeController controller = NvmeController.open(device, IMPATIENT);
  private final NvmeNamespace namespace = controller.namespace(1);
  private final List<Integer> statuses = new ArrayList<>();
  private final NvmeCompletionHandler handler = (_, status, _) -> statuses.add(status);

  @BeforeEach
  void noReset() {
    assertThat(controller.resets()).isZero();
  }

  @AfterEach
  void close() {
    controller.close();
    data.close();
    assertThat(device.memory.openBuffers()).isZero();
    assertThat(device.isBusMaster()).isFalse();
    device.close();
  }

  private void assertWorks() {
    assertWorks(namespace);
  }

  private void assertWorks(NvmeNamespace disk) {
    data.segment().fill((byte) 7);
    disk.write(3, 1, data, 0);
    disk.read(3, 1, data, 512);
    disk.flush();
    assertThat(data.segment().asSlice(0, 512).mismatch(data.segment().asSlice(512, 512)))
        .isEqualTo(-1);
  }

  private void put(NvmeQueue queue, long token) {
    assertThat(queue.read(namespace, token, 1, data, 0, token)).isTrue();
  }

  private void finish(NvmeQueue queue) {
    while (queue.inFlight() > 0) {
      queue.await(handler, SECOND);
    }
  }

  @Test
  void abortsACommandThatTakesTooLongAndLeavesTheOthersAlone() {
    try (var queue = controller.openQueue()) {
      faults.inject(NvmeFault.hold().onOpcode(READ).onIo().times(1));
      put(queue, 1);
      put(queue, 2);
      finish(queue);

      assertThat(statuses).hasSize(2);
      assertThat(statuses.getFirst()).isZero();
      assertThat(statuses.getLast() & 0x7ff).isEqualTo(ABORT_REQUESTED);
      assertThat(controller.resets()).isZero();
    }
    assertWorks();
  }

  @Test
  void resetsTheControllerWhenAnAbortedCommandDoesNotComeBack() {
    try (var queue = controller.openQueue();
        var other = controller.openQueue()) {
      faults.inject(NvmeFault.loss().onOpcode(READ).onIo().times(2));
      put(other, 1);
      other.ring();
      put(queue, 2);
      finish(queue);

      assertThat(controller.resets()).isEqualTo(1);
      assertThat(statuses).isEqualTo(List.of(ABORTED_BY_HOST));
      assertThat(other.poll(handler)).isEqualTo(1);
      assertThat(statuses).isEqualTo(List.of(ABORTED_BY_HOST, ABORTED_BY_HOST));
      assertThat(other.inFlight()).isZero();

      statuses.clear();
      for (int round = 0; round < 200; round++) {
        put(queue, round % 100);
        put(other, round % 100);
        finish(queue);
        finish(other);
      }
      assertThat(statuses).hasSize(400).containsOnly(0);
    }
    assertWorks();
    assertThat(controller.resets()).isEqualTo(1);
  }

  @Test
  void noticesAtOnceThatSomebodyElseHasResetTheController() {
    var patient = NvmeOptions.defaults().withCommandTimeout(Duration.ofHours(1));
    var ownFaults = new NvmeFaults();
    var model =
        NvmeModel.of(
            NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)).withFaults(ownFaults));
    try (var other = new FakeDevice(model);
        var buffer = other.dmaSpace().allocate(4096);
        var driver = NvmeController.open(other, patient);
        var queue = driver.openQueue()) {
      ownFaults.inject(NvmeFault.loss().onOpcode(READ).onIo().times(1));
      assertThat(queue.read(driver.namespace(1), 0, 1, buffer, 0, 0)).isTrue();
      queue.ring();
      other.reset();
      finish(queue);

      assertThat(statuses).isEqualTo(List.of(ABORTED_BY_HOST));
      assertThat(driver.resets()).isEqualTo(1);
      driver.namespace(1).write(0, 1, buffer, 0);
    }
  }

  @Test
  void tellsCommandsThatWereEndedThoughNewOnesArePutFirst() {
    try (var queue = controller.openQueue();
        var other = controller.openQueue()) {
      faults.inject(NvmeFault.loss().onOpcode(READ).onIo().times(4));
      put(other, 1);
      put(other, 2);
      other.ring();
      put(other, 3);
      put(queue, 4);
      queue.ring();
      put(queue, 5);
      queue.ring();
      finish(queue);

      put(other, 6);
      other.ring();
      assertThat(other.inFlight()).isEqualTo(4);
      statuses.clear();
      finish(other);

      assertThat(statuses).isEqualTo(List.of(ABORTED_BY_HOST, ABORTED_BY_HOST, ABORTED_BY_HOST, 0));
    }
  }

  @Test
  void tellsBlockingCallsThatTheControllerWasReset() {
    faults.inject(NvmeFault.loss().onOpcode(WRITE).onIo().times(1));

    assertThatThrownBy(() -> namespace.write(0, 1, data, 0))
        .isInstanceOf(VfioException.class)
        .hasMessageContaining("was reset")
        .hasMessageContaining("within 100 ms")
        .hasMessageContaining("not known");
    assertThat(controller.resets()).isEqualTo(1);
    assertWorks();
  }

  @Test
  void resetsAControllerWithAFatalError() {
    try (var queue = controller.openQueue()) {
      faults.inject(NvmeFault.failure(NvmeFailure.FATAL).onOpcode(READ).onIo().times(1));
      put(queue, 1);
      finish(queue);

      assertThat(statuses).isEqualTo(List.of(ABORTED_BY_HOST));
      assertThat(controller.resets()).isEqualTo(1);
    }
    assertWorks();
  }

  @Test
  void countsAResetOnceTheControllerIsStopped() {
    List<Integer> counts = new ArrayList<>();
    try (var queue = controller.openQueue()) {
      device.beforeConfiguration = () -> counts.add(controller.resets());
      faults.inject(NvmeFault.failure(NvmeFailure.FATAL).onOpcode(READ).onIo().times(1));
      put(queue, 1);
      while (queue.inFlight() > 0) {
        queue.await((_, _, _) -> assertThat(controller.resets()).isEqualTo(1), SECOND);
      }
    }
    // Stopped, and started again.
    assertThat(counts).isEqualTo(List.of(0, 1));
  }

  @Test
  void resetsAControllerThatCompletesACommandTwice() {
    try (var queue = controller.openQueue()) {
      faults.inject(NvmeFault.repetition().onOpcode(READ).onIo().times(1));
      put(queue, 1);
      finish(queue);
      queue.poll(handler);

      assertThat(statuses).isEqualTo(List.of(0));
      assertThat(controller.resets()).isEqualTo(1);
    }
    assertWorks();
  }

  @Test
  void resetsAControllerThatCompletesWhatItWasNotGiven() {
    try (var queue = controller.openQueue()) {
      faults.inject(NvmeFault.forgery(40).onOpcode(READ).onIo().times(1));
      put(queue, 1);
      finish(queue);

      assertThat(controller.resets()).isEqualTo(1);
    }
    assertWorks();
  }

  @Test
  void failsEverythingAtOnceWhenTheDeviceIsGone() {
    try (var queue = controller.openQueue()) {
      put(queue, 1);
      device.isGone = true;
      device.ignoresDoorbells = true;
      finish(queue);

      assertThat(statuses).isEqualTo(List.of(ABORTED_BY_HOST));
      assertThatThrownBy(() -> put(queue, 2))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("gone");
      assertThatThrownBy(namespace::flush)
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("gone");
      assertThat(queue.poll(handler)).isZero();
    }
    assertThatThrownBy(controller::close).isInstanceOf(VfioException.class);
    device.isGone = false;
  }

  @Test
  void failsEverythingWhenARegisterCannotBeReached() {
    try (var queue = controller.openQueue()) {
      put(queue, 1);
      device.isGone = true;
      device.failAtAccess = device.accesses;
      queue.ring();
      finish(queue);

      assertThat(statuses).isEqualTo(List.of(ABORTED_BY_HOST));
    }
    assertThatThrownBy(controller::close).isInstanceOf(VfioException.class);
    device.isGone = false;
  }

  @Test
  void closingAQueueEndsItsCommandsBeforeTheirMemoryIsTheCallersAgain() {
    var queue = controller.openQueue();
    faults.inject(NvmeFault.hold().onOpcode(READ).onIo());
    data.segment().fill((byte) 1);
    put(queue, 1);
    queue.ring();
    queue.close();
    faults.clear();
    faults.release();

    assertThatIllegalStateException().isThrownBy(() -> queue.poll(handler));
    assertThat(statuses).isEmpty();
    assertWorks();
  }

  @Test
  void closingFromAnotherThreadEndsAWait() throws Exception {
    var queue = controller.openQueue();
    faults.inject(NvmeFault.hold().onOpcode(READ).onIo());
    put(queue, 1);
    queue.ring();
    var waiting = new CountDownLatch(1);
    try (var executor = Executors.newSingleThreadExecutor()) {
      Future<Integer> wait =
          executor.submit(
              () -> {
                waiting.countDown();
                // The deletion may complete the command before the queue is closed for this thread.
                while (true) {
                  queue.await(handler, SECOND);
                }
              });
      waiting.await();
      queue.close();
      queue.close();
      assertThatThrownBy(wait::get)
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void queuesOfManyThreadsSurviveResets() throws Exception {
    var isOver = new AtomicBoolean();
    controller.close();
    try (var _ = device.startThread();
        var shared = NvmeController.open(device, LESS_IMPATIENT);
        var executor = Executors.newFixedThreadPool(3)) {
      List<Future<Long>> ends = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        ends.add(executor.submit(() -> readUntil(isOver, shared)));
      }
      try {
        for (int round = 1; round <= 5; round++) {
          faults.inject(NvmeFault.loss().onOpcode(READ).onIo().after(50).times(1));
          while (shared.resets() < round) {
            throwIfEnded(ends);
            Thread.sleep(1);
          }
        }
      } finally {
        // The executor waits for them, whatever happened here.
        isOver.set(true);
      }
      for (var end : ends) {
        assertThat(end.get()).isPositive();
      }
      assertWorks(shared.namespace(1));
    }
  }

  private static void throwIfEnded(List<Future<Long>> ends) throws Exception {
    for (var end : ends) {
      if (end.isDone()) {
        throw new AssertionError("ended early, after %d reads".formatted(end.get()));
      }
    }
  }

  /** Reads with a queue of its own, and makes sure that each command comes back once. */
  private long readUntil(AtomicBoolean isOver, NvmeController shared) {
    var disk = shared.namespace(1);
    boolean[] isInFlight = new boolean[64];
    long[] done = new long[1];
    NvmeCompletionHandler own =
        (token, status, _) -> {
          assertThat(isInFlight[(int) token]).isTrue();
          assertThat(status).isIn(0, ABORTED_BY_HOST, ABORT_REQUESTED);
          isInFlight[(int) token] = false;
          done[0] += status == 0 ? 1 : 0;
        };
    try (var queue = shared.openQueue();
        var buffer = device.dmaSpace().allocate(4096)) {
      while (!isOver.get() || queue.inFlight() > 0) {
        for (int token = 0; token < 32 && !isOver.get(); token++) {
          if (!isInFlight[token] && queue.read(disk, token, 1, buffer, 0, token)) {
            isInFlight[token] = true;
          }
        }
        queue.await(own, SECOND);
      }
      for (boolean left : isInFlight) {
        assertThat(left).isFalse();
      }
    }
    return done[0];
  }

  @Test
  void triesAgainWhatMayBeTriedAgain() {
    int internalError = 0x006;
    faults.inject(NvmeFault.status(internalError).onOpcode(WRITE).onIo().times(2));
    namespace.write(0, 128, data, 0);

    faults.inject(NvmeFault.status(internalError).onOpcode(READ).onIo());
    assertThatThrownBy(() -> namespace.read(0, 1, data, 0))
        .isInstanceOf(NvmeStatusException.class)
        .hasMessageContaining("Internal Error");
    faults.clear();

    int doNotRetry = 0x4000;
    faults.inject(NvmeFault.status(internalError | doNotRetry).onOpcode(READ).onIo().times(1));
    assertThatThrownBy(() -> namespace.read(0, 1, data, 0))
        .isInstanceOf(NvmeStatusException.class)
        .hasMessageContaining("do not retry");
    assertWorks();
  }
}
