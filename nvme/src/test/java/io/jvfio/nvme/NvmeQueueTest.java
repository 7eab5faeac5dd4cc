// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.model.nvme.NvmeModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NvmeQueueTest {
  private static final long DISK_SIZE = 16 << 20;
  private static final long SECOND = 1_000_000_000;

  private final FakeDevice device = new FakeDevice(NvmeModel.inMemory("SN-1", DISK_SIZE));

  @AfterEach
  void closeDevice() {
    device.close();
  }

  @Test
  void readsBackWhatItWroteAndReturnsTheTokens() {
    try (var controller = NvmeController.open(device);
        var queue = controller.openQueue();
        var source = device.dmaSpace().allocate(1 << 20);
        var target = device.dmaSpace().allocate(1 << 20)) {
      var namespace = controller.namespace(1);
      byte[] bytes = new byte[1 << 20];
      new Random(1).nextBytes(bytes);
      source.segment().copyFrom(MemorySegment.ofArray(bytes));
      List<Long> tokens = new ArrayList<>();
      NvmeCompletionHandler handler =
          (token, status, _) -> {
            assertThat(status).isZero();
            tokens.add(token);
          };

      for (int i = 0; i < 16; i++) {
        assertThat(queue.write(namespace, i * 128L, 128, source, i * 65536L, i)).isTrue();
      }
      assertThat(queue.inFlight()).isEqualTo(16);
      assertThat(queue.poll(handler)).isZero();
      queue.ring();
      while (queue.inFlight() > 0) {
        assertThat(queue.await(handler, SECOND)).isPositive();
      }
      for (int i = 0; i < 16; i++) {
        assertThat(queue.read(namespace, i * 128L, 128, target, i * 65536L, 100 + i)).isTrue();
      }
      queue.ring();
      while (queue.inFlight() > 0) {
        queue.await(handler, SECOND);
      }

      assertThat(tokens).hasSize(32).contains(0L, 15L, 100L, 115L).doesNotHaveDuplicates();
      assertThat(target.segment().mismatch(source.segment())).isEqualTo(-1);
      assertThat(queue.await(handler, SECOND)).isZero();
    }
  }

  @Test
  void ringsOnceForManyCommandsAndNotAtAllForNone() {
    try (var controller = NvmeController.open(device);
        var queue = controller.openQueue();
        var data = device.dmaSpace().allocate(4096)) {
      var namespace = controller.namespace(1);
      int doorbell = 2 * queue.id();

      for (int i = 0; i < queue.depth(); i++) {
        assertThat(queue.read(namespace, i, 1, data, 0, i)).isTrue();
      }
      assertThat(queue.read(namespace, 0, 1, data, 0, 0)).isFalse();
      queue.ring();
      queue.ring();

      assertThat(device.rings[doorbell]).isEqualTo(1);
      assertThat(queue.poll((_, _, _) -> {})).isEqualTo(63);
      assertThat(device.rings[doorbell + 1]).isEqualTo(1);
    }
  }

  @Test
  void worksWithSeveralQueuesAtOnce() {
    try (var controller = NvmeController.open(device);
        var data = device.dmaSpace().allocate(4096)) {
      var namespace = controller.namespace(1);
      List<NvmeQueue> queues = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        queues.add(controller.openQueue());
      }
      assertThat(queues.stream().map(NvmeQueue::id)).doesNotHaveDuplicates();
      for (int round = 0; round < 200; round++) {
        for (var queue : queues) {
          data.segment().set(ValueLayout.JAVA_INT, 0, round * 10 + queue.id());
          assertThat(queue.write(namespace, queue.id(), 1, data, 0, 0)).isTrue();
          queue.ring();
          assertThat(queue.poll((_, status, _) -> assertThat(status).isZero())).isEqualTo(1);
        }
      }
      int closed = queues.getFirst().id();
      queues.getFirst().close();
      queues.getFirst().close();
      try (var again = controller.openQueue()) {
        assertThat(again.id()).isEqualTo(closed);
        assertThat(again.read(namespace, closed, 1, data, 0, 0)).isTrue();
        again.ring();
        assertThat(again.poll((_, _, _) -> {})).isEqualTo(1);
        assertThat(data.segment().get(ValueLayout.JAVA_INT, 0)).isEqualTo(1990 + closed);
      }
    }
    assertThat(device.memory.openBuffers()).isZero();
  }

  @Test
  void refusesWhatACommandCannotTransfer() {
    try (var controller = NvmeController.open(device);
        var queue = controller.openQueue();
        var data = device.dmaSpace().allocate(1 << 20)) {
      var namespace = controller.namespace(1);

      assertThat(queue.maxTransferBytes()).isEqualTo(512 << 10);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> queue.read(namespace, 0, 1025, data, 0, 0));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> queue.read(namespace, 0, 1, data, 2, 0));
      assertThatThrownBy(() -> queue.read(namespace, 0, 0, data, 0, 0))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> queue.read(namespace, DISK_SIZE / 512, 1, data, 0, 0))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> queue.read(namespace, 0, 16, data, (1 << 20) - 4096, 0))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThat(queue.inFlight()).isZero();
    }
  }

  @Test
  void cannotBeUsedOnceClosed() {
    try (var controller = NvmeController.open(device);
        var data = device.dmaSpace().allocate(4096)) {
      var namespace = controller.namespace(1);
      var queue = controller.openQueue();
      queue.close();

      assertThatIllegalStateException().isThrownBy(() -> queue.read(namespace, 0, 1, data, 0, 0));
      assertThatIllegalStateException().isThrownBy(queue::ring);
      assertThatIllegalStateException().isThrownBy(() -> queue.poll((_, _, _) -> {}));
    }
  }

  @Test
  void makesAnExceptionOfAStatus() {
    try (var controller = NvmeController.open(device);
        var queue = controller.openQueue();
        var unmapped = device.dmaSpace().allocate(4096)) {
      var namespace = controller.namespace(1);
      device.memory.unmap(unmapped);

      queue.read(namespace, 7, 1, unmapped, 0, 7);
      queue.ring();
      List<NvmeStatusException> failures = new ArrayList<>();
      queue.await(
          (token, status, _) -> failures.add(queue.failure(status, "Read of block " + token)),
          SECOND);

      assertThat(failures).hasSize(1);
      assertThat(failures.getFirst())
          .hasMessageContaining("Read of block 7")
          .hasMessageContaining(FakeDevice.NAME)
          .hasMessageContaining("Data Transfer Error");
    }
  }
}
