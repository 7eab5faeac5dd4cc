// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.DmaBuffer;
import io.jvfio.model.nvme.NvmeFault;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every command, through both faces. */
class CommandTest {
  private static final long DISK_SIZE = 16 << 20;
  private static final long SECOND = 1_000_000_000;

  private final NvmeModel model =
      NvmeModel.of(
          NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(DISK_SIZE))
              .withNamespace(NvmeNamespaceOptions.inMemory(1 << 20).withBlockSize(4096))
              .withMaxTransfer(8 << 20));
  private final FakeDevice device = new FakeDevice(model);

  @AfterEach
  void close() {
    assertThat(device.memory.openBuffers()).isZero();
    device.close();
  }

  private static void fillRandom(MemorySegment segment, long seed) {
    byte[] bytes = new byte[(int) segment.byteSize()];
    new Random(seed).nextBytes(bytes);
    segment.copyFrom(MemorySegment.ofArray(bytes));
  }

  private static boolean isZero(MemorySegment segment) {
    return segment.mismatch(MemorySegment.ofArray(new byte[(int) segment.byteSize()])) == -1;
  }

  private static void finish(NvmeQueue queue) {
    while (queue.inFlight() > 0) {
      queue.await(
          (token, status, _) -> assertThat(status).as("command %d", token).isZero(), SECOND);
    }
  }

  @Test
  void carriesOutTheOptionalCommandsAndBlocks() {
    try (var controller = NvmeController.open(device);
        var data = device.dmaSpace().allocate(64 << 10)) {
      var namespace = controller.namespace(1);
      fillRandom(data.segment(), 1);
      namespace.writeThrough(0, 128, data, 0);
      assertThat(namespace.compare(0, 128, data, 0)).isTrue();
      namespace.verify(0, 128);

      namespace.copy(new NvmeRanges(2).add(0, 8).add(16, 8), 1000);
      var copied = new NvmeScatter(2).add(data, 0, 4096).add(data, 16 * 512, 4096);
      data.segment().asSlice(0, 512).fill((byte) 0);
      namespace.read(1000, copied);
      assertThat(namespace.compare(0, 8, data, 0)).isTrue();
      assertThat(namespace.compare(16, 8, data, 16 * 512)).isTrue();

      namespace.writeZeroes(0, 8);
      assertThat(namespace.compare(0, 8, data, 0)).isFalse();
      namespace.deallocate(new NvmeRanges(2).add(16, 4).add(24, 1));
      namespace.read(0, 32, data, 0);
      assertThat(isZero(data.segment().asSlice(0, 8 * 512))).isTrue();
      assertThat(isZero(data.segment().asSlice(16 * 512, 4 * 512))).isTrue();
      assertThat(isZero(data.segment().asSlice(20 * 512, 4 * 512))).isFalse();
      namespace.writeZeroes(0, DISK_SIZE / 512);
      namespace.verify(0, DISK_SIZE / 512);
    }
  }

  @ParameterizedTest
  @EnumSource(NvmeSglUse.class)
  void carriesThemOutAsynchronously(NvmeSglUse use) {
    var options = NvmeOptions.defaults().withSglUse(use);
    try (var controller = NvmeController.open(device, options);
        var queue = controller.openQueue();
        var data = device.dmaSpace().allocate(64 << 10)) {
      var namespace = controller.namespace(1);
      fillRandom(data.segment(), 1);
      assertThat(queue.writeThrough(namespace, 0, 128, data, 0, 1)).isTrue();
      finish(queue);
      assertThat(queue.compare(namespace, 0, 128, data, 0, 2)).isTrue();
      assertThat(queue.verify(namespace, 0, 128, 3)).isTrue();
      assertThat(queue.copy(namespace, new NvmeRanges(1).add(0, 16), 200, 4)).isTrue();
      finish(queue);
      assertThat(queue.compare(namespace, 200, 16, data, 0, 5)).isTrue();
      finish(queue);
      assertThat(queue.writeZeroes(namespace, 0, 8, 6)).isTrue();
      assertThat(queue.deallocate(namespace, new NvmeRanges(1).add(8, 8), 7)).isTrue();
      assertThat(queue.flush(namespace, 8)).isTrue();
      finish(queue);
      assertThat(queue.read(namespace, 0, 16, data, 0, 9)).isTrue();
      finish(queue);
      assertThat(isZero(data.segment().asSlice(0, 16 * 512))).isTrue();
      assertThat(queue.command(NvmeCommand.of(0x02, 200, 0), 1, data, 10)).isTrue();
    }
  }

  @Test
  void refusesWhatTheControllerDoesNotOfferBeforeAnythingIsSent() {
    var plain =
        NvmeModel.of(
            NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(DISK_SIZE))
                .withoutOptionalCommands()
                .withoutShadowDoorbells()
                .withoutSgl());
    try (var other = new FakeDevice(plain);
        var controller = NvmeController.open(other);
        var queue = controller.openQueue();
        var data = other.dmaSpace().allocate(16384)) {
      var namespace = controller.namespace(1);
      int doorbell = other.rings[2];
      List<Runnable> commands =
          List.of(
              () -> namespace.compare(0, 1, data, 0),
              () -> namespace.verify(0, 1),
              () -> namespace.writeZeroes(0, 1),
              () -> namespace.deallocate(new NvmeRanges(1).add(0, 1)),
              () -> namespace.copy(new NvmeRanges(1).add(0, 1), 5),
              () -> queue.compare(namespace, 0, 1, data, 0, 0),
              () -> queue.verify(namespace, 0, 1, 0),
              () -> queue.writeZeroes(namespace, 0, 1, 0));
      for (var command : commands) {
        assertThatThrownBy(command::run)
            .isInstanceOf(UnsupportedOperationException.class)
            .hasMessageContaining("does not offer")
            .hasMessageContaining("ONCS bit");
      }
      assertThatThrownBy(() -> controller.format(1, 0, NvmeSecureErase.NONE, Duration.ofSeconds(1)))
          .isInstanceOf(UnsupportedOperationException.class);
      var unaligned = new NvmeScatter(2).add(data, 0, 512).add(data, 8192, 512);
      assertThatThrownBy(() -> namespace.read(0, unaligned))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("whole pages");
      assertThat(other.rings[2]).isEqualTo(doorbell);
      assertThat(queue.inFlight()).isZero();

      var paged = new NvmeScatter(3).add(data, 3584, 512).add(data, 8192, 4096).add(data, 0, 512);
      fillRandom(data.segment(), 2);
      namespace.write(100, paged);
      namespace.read(100, 10, data, 4096);
      assertThat(data.segment().asSlice(4096, 512).mismatch(data.segment().asSlice(3584, 512)))
          .isEqualTo(-1);
    }
    try (var other =
        new FakeDevice(
            NvmeModel.of(
                NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)).withoutSgl()))) {
      assertThatThrownBy(
              () ->
                  NvmeController.open(other, NvmeOptions.defaults().withSglUse(NvmeSglUse.ALWAYS)))
          .hasMessageContaining("SGLs");
      assertThat(other.memory.openBuffers()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(NvmeSglUse.class)
  void scattersTransfersAtRandom(NvmeSglUse use) {
    var options = NvmeOptions.defaults().withSglUse(use).withMaxTransferBytes(8 << 20);
    try (var controller = NvmeController.open(device, options);
        var queue = controller.openQueue();
        var source = device.dmaSpace().allocate(8 << 20);
        var first = device.dmaSpace().allocate(4 << 20);
        var second = device.dmaSpace().allocate(4 << 20)) {
      var namespace = controller.namespace(1);
      fillRandom(source.segment(), 3);
      namespace.write(0, 16384, source, 0);
      var random = new Random(4);
      var scatter = new NvmeScatter(256);
      for (int round = 0; round < 60; round++) {
        fill(scatter, random, use != NvmeSglUse.NEVER, first, second);
        first.segment().fill((byte) 0);
        second.segment().fill((byte) 0);
        int lba = random.nextInt(1000);
        assertThat(queue.read(namespace, lba, scatter, round)).isTrue();
        finish(queue);

        long at = lba * 512L;
        for (var piece : pieces) {
          assertThat(piece.mismatch(source.segment().asSlice(at, piece.byteSize())))
              .as("round %d", round)
              .isEqualTo(-1);
          at += piece.byteSize();
        }
      }
    }
  }

  private final List<MemorySegment> pieces = new ArrayList<>();

  /** Pieces that do not overlap, and make whole blocks. */
  private void fill(
      NvmeScatter scatter, Random random, boolean isFree, DmaBuffer first, DmaBuffer second) {
    scatter.clear();
    pieces.clear();
    int count = 1 + random.nextInt(200);
    long at = 0;
    long total = 0;
    for (int i = 0; i < count; i++) {
      boolean isLast = i == count - 1;
      long offset = isFree ? at + 4L * random.nextInt(1000) : (at + 4095) & -4096;
      long length = isFree ? 4 + 4L * random.nextInt(2000) : 4096L * (1 + random.nextInt(3));
      if (!isFree && i == 0) {
        offset += 512L * random.nextInt(8);
        length = 4096 - offset % 4096;
      }
      if (isLast && (total + length) % 512 != 0) {
        length += 512 - (total + length) % 512;
      }
      var buffer = i % 2 == 0 ? first : second;
      scatter.add(buffer, offset, length);
      pieces.add(buffer.segment().asSlice(offset, length));
      total += length;
      at = offset + length;
    }
    assertThat(scatter.byteSize()).isEqualTo(total);
  }

  @ParameterizedTest
  @EnumSource(NvmeSglUse.class)
  void transfersEightMebibytesAtOnce(NvmeSglUse use) {
    var options = NvmeOptions.defaults().withSglUse(use).withMaxTransferBytes(8 << 20);
    try (var controller = NvmeController.open(device, options);
        var queue = controller.openQueue();
        var source = device.dmaSpace().allocate((8 << 20) + 8192);
        var target = device.dmaSpace().allocate((8 << 20) + 8192)) {
      var namespace = controller.namespace(1);
      assertThat(queue.maxTransferBytes()).isEqualTo(8 << 20);
      fillRandom(source.segment(), 5);
      for (int offset : new int[] {0, 4, 2048, 4092}) {
        assertThat(queue.write(namespace, 0, 16384, source, offset, 1)).isTrue();
        finish(queue);
        assertThat(queue.read(namespace, 0, 16384, target, offset, 2)).isTrue();
        finish(queue);
        assertThat(
                target
                    .segment()
                    .asSlice(offset, 8 << 20)
                    .mismatch(source.segment().asSlice(offset, 8 << 20)))
            .isEqualTo(-1);
      }
    }
  }

  @Test
  void putsCommandsIntoTheMemoryOfTheController() {
    var withMemory =
        NvmeModel.of(
            NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20))
                .withMemoryBuffer(16 << 10));
    try (var other = new FakeDevice(withMemory)) {
      // Two queues find room, the others lie in memory of the host.
      var options =
          NvmeOptions.defaults().withQueueEntries(128).withCommandTimeout(Duration.ofMillis(200));
      try (var controller = NvmeController.open(other, options);
          var second = controller.openQueue();
          var third = controller.openQueue();
          var data = other.dmaSpace().allocate(8192)) {
        var namespace = controller.namespace(1);
        for (int round = 0; round < 300; round++) {
          fillRandom(data.segment(), round);
          namespace.write(0, 8, data, 0);
          assertThat(second.read(namespace, 0, 8, data, 4096, 1)).isTrue();
          finish(second);
          assertThat(data.segment().asSlice(0, 4096).mismatch(data.segment().asSlice(4096)))
              .isEqualTo(-1);
          assertThat(third.read(namespace, 0, 8, data, 4096, 1)).isTrue();
          finish(third);
        }
        withMemory.faults().inject(NvmeFault.loss().onIo().times(1));
        assertThatThrownBy(() -> namespace.read(0, 1, data, 0)).hasMessageContaining("was reset");
        namespace.read(0, 8, data, 0);
        assertThat(second.read(namespace, 0, 8, data, 4096, 1)).isTrue();
        second.await((_, _, _) -> {}, SECOND);
      }
      assertThat(other.openRegisters).isZero();
      assertThat(other.memory.openBuffers()).isZero();
    }
  }

  @Test
  void boundsCopiesAndRanges() {
    try (var controller = NvmeController.open(device)) {
      var namespace = controller.namespace(1);
      var identity = namespace.identify();
      var many = new NvmeRanges(256);
      for (int i = 0; i <= identity.copyRanges() && i < 256; i++) {
        many.add(i, 1);
      }
      assertThatIllegalArgumentException().isThrownBy(() -> namespace.copy(many, 1000));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> namespace.deallocate(new NvmeRanges(1)));
      assertThatThrownBy(() -> namespace.deallocate(new NvmeRanges(1).add(DISK_SIZE / 512, 1)))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> new NvmeRanges(1).add(0, 1).add(1, 1))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> new NvmeRanges(1).add(-1, 1))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void drivesSeveralNamespaces() {
    try (var controller = NvmeController.open(device);
        var data = device.dmaSpace().allocate(8192)) {
      assertThat(controller.namespaces()).isEqualTo(List.of(1, 2));
      var first = controller.namespace(1);
      var second = controller.namespace(2);
      assertThat(second.blockSize()).isEqualTo(4096);
      data.segment().fill((byte) 1);
      first.write(0, 8, data, 0);
      data.segment().fill((byte) 2);
      second.write(0, 2, data, 0);
      first.read(0, 8, data, 0);
      assertThat(data.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
      assertThat(controller.namespaceIdentifiers(1))
          .isNotEqualTo(controller.namespaceIdentifiers(2));
      assertThat(controller.namespaceIdentifiers(2).uuid()).isPresent();
    }
  }

  @Test
  void refusesANamespaceOfAnotherController() {
    try (var other = new FakeDevice(NvmeModel.inMemory("T", 1 << 20));
        var theirs = NvmeController.open(other);
        var controller = NvmeController.open(device);
        var queue = controller.openQueue();
        var data = device.dmaSpace().allocate(4096)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> queue.read(theirs.namespace(1), 0, 1, data, 0, 0));
    }
  }

  @Test
  void tellsHowTheControllerIsDoing() {
    try (var controller = NvmeController.open(device);
        var data = device.dmaSpace().allocate(4096)) {
      model.faults().temperature(300);
      controller.namespace(1).read(0, 1, data, 0);
      var smart = controller.smart();
      assertThat(smart.temperatureKelvin()).isEqualTo(300);
      assertThat(smart.temperatureCelsius()).isEqualTo(27);
      assertThat(smart.hostReadCommands()).isPositive();
      assertThat(controller.firmwareSlots().active()).isEqualTo(1);
      assertThat(controller.firmwareSlots().revisions().getFirst())
          .isEqualTo(controller.identify().firmware());
      assertThat(controller.commandEffects().io()).containsKeys(0x00, 0x01, 0x02);
      assertThat(controller.commandEffects().admin()).containsKey(0x06);
      assertThat(controller.logPage(2, -1, 0, 512)).hasSize(512);
      assertThatIllegalArgumentException().isThrownBy(() -> controller.logPage(2, -1, 0, 5));
    }
  }

  @Test
  void readsTheErrorsOfFailedCommands() {
    try (var controller = NvmeController.open(device)) {
      assertThat(controller.errors()).isEmpty();
      assertThatThrownBy(() -> controller.features().set(0xee, 0, 0, false))
          .isInstanceOf(NvmeStatusException.class)
          .hasMessageContaining("Set Features of feature 0xee");
      assertThat(controller.errors())
          .hasSize(1)
          .first()
          .satisfies(
              e -> {
                assertThat(e.submissionQueueId()).isZero();
                assertThat(e.statusName()).isEqualTo("Invalid Field in Command");
              });
    }
  }

  @Test
  void getsAndSetsFeatures() {
    try (var controller = NvmeController.open(device);
        var data = device.dmaSpace().allocate(4096)) {
      var features = controller.features();
      features.volatileWriteCache(false);
      assertThat(features.volatileWriteCache()).isFalse();
      features.volatileWriteCache(true);
      assertThat(features.volatileWriteCache()).isTrue();
      features.overTemperatureKelvin(333);
      assertThat(features.overTemperatureKelvin()).isEqualTo(333);
      features.underTemperatureKelvin(260);
      assertThat(features.underTemperatureKelvin()).isEqualTo(260);
      assertThat(features.overTemperatureKelvin()).isEqualTo(333);
      assertThat(features.queuePairs()).isPositive();
      features.asyncEvents(1);
      assertThat(features.asyncEvents()).isEqualTo(1);
      features.powerState(0);
      assertThat(features.powerState()).isZero();
      features.interruptCoalescing(new NvmeFeatures.Coalescing(3, 7));
      assertThat(features.interruptCoalescing()).isEqualTo(new NvmeFeatures.Coalescing(3, 7));
      assertThatIllegalArgumentException().isThrownBy(() -> features.powerState(32));
      assertThatIllegalArgumentException().isThrownBy(() -> features.overTemperatureKelvin(-1));

      int result =
          controller.adminCommand(NvmeCommand.of(0x06, 1, 0), 0, data, Duration.ofSeconds(30));
      assertThat(result).isZero();
      assertThat(data.segment().get(ValueLayout.JAVA_SHORT, 0)).isEqualTo((short) 0x1b36);
      assertThat(controller.namespace(1).command(NvmeCommand.of(0x00, 0, 0), null)).isZero();
    }
  }

  @Test
  void namesEveryStatusThatACommandCanEndWith() {
    try (var controller = NvmeController.open(device);
        var data = device.dmaSpace().allocate(4096)) {
      var namespace = controller.namespace(1);
      int doNotRetry = 0x4000;
      for (int status : new int[] {0x002, 0x004, 0x006, 0x080, 0x082, 0x182, 0x280, 0x281, 0x286}) {
        model.faults().inject(NvmeFault.status(status | doNotRetry).onIo().times(1));
        assertThatThrownBy(() -> namespace.read(9, 1, data, 0))
            .isInstanceOf(NvmeStatusException.class)
            .hasMessageContaining("Read of block 9")
            .hasMessageContaining(NvmeStatusException.name(status))
            .hasMessageNotContaining("Reserved");
      }
      namespace.read(9, 1, data, 0);
    }
  }
}
