// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.DmaBuffer;
import io.jvfio.model.nvme.NvmeFault;
import io.jvfio.model.nvme.NvmeFaults;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Completions and events that are noticed by interrupt. */
class InterruptTest {
  private static final int READ = 0x02;
  private static final long SECOND = 1_000_000_000;
  private static final NvmeOptions INTERRUPTS =
      NvmeOptions.defaults().withCompletionMode(NvmeCompletionMode.INTERRUPTS);

  private final NvmeFaults faults = new NvmeFaults();
  private final FakeDevice device =
      new FakeDevice(
          NvmeModel.of(
              NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)).withFaults(faults)));
  private final DmaBuffer data = device.dmaSpace().allocate(4096);

  @AfterEach
  void close() {
    data.close();
    assertThat(device.memory.openBuffers()).isZero();
    device.close();
  }

  @Test
  void givesEachPairAVectorAndPollsThoseThatFindNone() {
    device.interrupts.msixCount = 65;
    device.interrupts.granted = 3;
    try (var controller = NvmeController.open(device, INTERRUPTS);
        var polled = secondQueue(controller)) {
      assertThat(controller.interrupts())
          .isEqualTo(new NvmeInterrupts(NvmeInterrupts.Kind.MSIX, 3, Optional.empty()));
      assertThat(polled.hasInterrupt()).isFalse();
      try (var next = controller.openQueue()) {
        assertThat(next.hasInterrupt()).isTrue();
      }
    }
    assertThat(device.interrupts.vectors()).isEmpty();
  }

  /** Nobody listens at the line, so it is off; and each vector that may be signalled is heard. */
  @ParameterizedTest
  @CsvSource({"POLLED,65", "INTERRUPTS,65", "INTERRUPTS,2", "INTERRUPTS,1", "INTERRUPTS,0"})
  void drivesAControllerThatFailsWhereNobodyHearsIt(NvmeCompletionMode mode, int vectors) {
    device.failsUnheard = true;
    device.interrupts.msixCount = vectors;
    try (var controller =
            NvmeController.open(device, NvmeOptions.defaults().withCompletionMode(mode));
        var second = controller.openQueue()) {
      var namespace = controller.namespace(1);
      for (int i = 0; i < 100; i++) {
        namespace.write(i, 1, data, 0);
        namespace.read(i, 1, data, 512);
        assertThat(second.read(namespace, i, 1, data, 1024, i)).isTrue();
        second.await((_, status, _) -> assertThat(status).isZero(), SECOND);
      }
      controller.smart();
      controller.onEvent(_ -> {});
      assertThat(controller.resets()).isZero();
    }
  }

  /** A queue that comes after one which has the last vector, and gives it back. */
  private static NvmeQueue secondQueue(NvmeController controller) {
    try (var queue = controller.openQueue()) {
      assertThat(queue.hasInterrupt()).isTrue();
      return controller.openQueue();
    }
  }

  @Test
  void worksWithASingleVector() {
    device.interrupts.msixCount = 65;
    device.interrupts.granted = 1;
    try (var controller = NvmeController.open(device, INTERRUPTS);
        var queue = controller.openQueue()) {
      assertThat(controller.interrupts().vectors()).isEqualTo(1);
      assertThat(queue.hasInterrupt()).isFalse();
      controller.namespace(1).read(0, 8, data, 0);
      assertThat(controller.smart().availableSparePercent()).isEqualTo(100);
    }
  }

  @Test
  void fallsBackToMsiAndThenToPollingAndTellsWhy() {
    device.interrupts.msiCount = 1;
    try (var controller = NvmeController.open(device, INTERRUPTS)) {
      assertThat(controller.interrupts().kind()).isEqualTo(NvmeInterrupts.Kind.MSI);
      assertThat(controller.interrupts().fallback()).contains("The device has no MSI-X.");
    }
    device.interrupts.granted = 0;
    try (var controller = NvmeController.open(device, INTERRUPTS)) {
      assertThat(controller.interrupts().kind()).isEqualTo(NvmeInterrupts.Kind.NONE);
      assertThat(controller.interrupts().fallback().orElseThrow())
          .contains("no MSI-X", "The host has no vectors");
      controller.namespace(1).read(0, 8, data, 0);
    }
  }

  @Test
  void waitsForTheInterruptOfACompletion() throws Exception {
    device.interrupts.msixCount = 65;
    try (var controller = NvmeController.open(device, INTERRUPTS);
        var queue = controller.openQueue();
        var executor = Executors.newSingleThreadExecutor()) {
      var namespace = controller.namespace(1);
      var vector = device.interrupts.vectors().get(2);
      for (int round = 0; round < 20; round++) {
        faults.inject(NvmeFault.hold().onOpcode(READ).onIo().times(1));
        assertThat(queue.read(namespace, 0, 1, data, 0, 5)).isTrue();
        queue.ring();
        int waits = vector.waits();
        var completions = new AtomicInteger();
        var wait =
            executor.submit(
                () -> {
                  int count = 0;
                  while (count == 0) {
                    count = queue.await((_, _, _) -> completions.incrementAndGet(), 60 * SECOND);
                  }
                  return count;
                });
        while (vector.waits() == waits) {
          Thread.onSpinWait();
        }
        faults.release();
        device.poll();
        assertThat(wait.get(60, TimeUnit.SECONDS)).isEqualTo(1);
        assertThat(completions.get()).isEqualTo(1);
      }
      assertThat(queue.await((_, _, _) -> {}, SECOND)).isZero();
    }
  }

  @Test
  void givesUpWaitingWhenTheTimeIsOver() {
    device.interrupts.msixCount = 65;
    try (var controller = NvmeController.open(device, INTERRUPTS);
        var queue = controller.openQueue()) {
      faults.inject(NvmeFault.hold().onOpcode(READ).onIo());
      queue.read(controller.namespace(1), 0, 1, data, 0, 5);
      long start = System.nanoTime();
      assertThat(queue.await((_, _, _) -> {}, 20_000_000)).isZero();
      assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(20_000_000);
      assertThat(queue.inFlight()).isEqualTo(1);
    }
  }

  @Test
  void noticesATimeOutWhileItWaits() {
    device.interrupts.msixCount = 65;
    var impatient = INTERRUPTS.withCommandTimeout(Duration.ofMillis(50));
    try (var controller = NvmeController.open(device, impatient)) {
      var namespace = controller.namespace(1);
      faults.inject(NvmeFault.loss().onOpcode(READ).onIo().times(1));
      assertThatThrownBy(() -> namespace.read(0, 1, data, 0)).hasMessageContaining("was reset");
      namespace.read(0, 1, data, 0);
    }
  }

  @Test
  void closingEndsAWait() throws Exception {
    device.interrupts.msixCount = 65;
    var controller = NvmeController.open(device, INTERRUPTS);
    var queue = controller.openQueue();
    faults.inject(NvmeFault.hold().onOpcode(READ).onIo());
    queue.read(controller.namespace(1), 0, 1, data, 0, 5);
    var vector = device.interrupts.vectors().get(2);
    try (var executor = Executors.newSingleThreadExecutor()) {
      var wait =
          executor.submit(
              () -> {
                // The command may be told as ended; the end of the queue ends this in any case.
                while (queue.inFlight() >= 0) {
                  queue.await((_, _, _) -> {}, 60 * SECOND);
                }
                return 0;
              });
      while (vector.waits() == 0) {
        Thread.onSpinWait();
      }
      controller.close();
      assertThatThrownBy(() -> wait.get(60, TimeUnit.SECONDS))
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void tellsEventsByInterruptAndAfterAReset() throws Exception {
    device.interrupts.msixCount = 65;
    BlockingQueue<NvmeEvent> events = new LinkedBlockingQueue<>();
    var impatient = INTERRUPTS.withCommandTimeout(Duration.ofMillis(50));
    try (var controller = NvmeController.open(device, impatient)) {
      var namespace = controller.namespace(1);
      controller.onEvent(
          event -> {
            controller.smart();
            events.add(event);
          });
      faults.temperature(400);
      device.poll();
      assertThat(events.poll(60, TimeUnit.SECONDS)).isEqualTo(new NvmeEvent(1, 1, 2));

      faults.temperature(300);
      faults.inject(NvmeFault.loss().onOpcode(READ).onIo().times(1));
      assertThatThrownBy(() -> namespace.read(0, 1, data, 0)).hasMessageContaining("was reset");
      faults.temperature(400);
      device.poll();
      assertThat(events.poll(60, TimeUnit.SECONDS))
          .extracting(NvmeEvent::description)
          .isEqualTo("Temperature Threshold");
    }
    assertThat(device.interrupts.vectors()).isEmpty();
  }

  @Test
  void tellsEventsWhenAskedWithoutInterrupts() {
    List<NvmeEvent> events = new ArrayList<>();
    try (var controller = NvmeController.open(device)) {
      assertThat(controller.pollEvents()).isZero();
      controller.onEvent(events::add);
      faults.temperature(400);
      device.poll();
      assertThat(controller.pollEvents()).isEqualTo(1);
      assertThat(events).isEqualTo(List.of(new NvmeEvent(1, 1, 2)));
      assertThat(controller.smart().criticalWarning()).isEqualTo(2);
    }
  }

  @Test
  void tellsThatTheHostWantsTheDeviceBack() throws Exception {
    var told = new CountDownLatch(1);
    try (var _ =
        NvmeController.open(device, NvmeOptions.defaults().withOnReleaseRequest(told::countDown))) {
      device.interrupts.release.trigger();
      assertThat(told.await(60, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(device.interrupts.release.hasHandler()).isFalse();
  }
}
