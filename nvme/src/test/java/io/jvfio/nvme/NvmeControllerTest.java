// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.DmaBuffer;
import io.jvfio.MappableArea;
import io.jvfio.VfioException;
import io.jvfio.model.nvme.NvmeModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NvmeControllerTest {
  private static final long DISK_SIZE = 16 << 20;
  private static final int IO_SUBMISSION_DOORBELL = 2;

  private final FakeDevice device = new FakeDevice(NvmeModel.inMemory("SN-1", DISK_SIZE));

  @AfterEach
  void closeDevice() {
    device.close();
  }

  private static void fillRandom(MemorySegment segment, long seed) {
    byte[] bytes = new byte[(int) segment.byteSize()];
    new Random(seed).nextBytes(bytes);
    segment.copyFrom(MemorySegment.ofArray(bytes));
  }

  private DmaBuffer buffer(long byteSize) {
    return device.dmaSpace().allocate(byteSize);
  }

  @Test
  void identifiesTheControllerByDma() {
    try (var controller = NvmeController.open(device)) {
      var identity = controller.identify();

      assertThat(identity.vendorId()).isEqualTo(0x1b36);
      assertThat(identity.subsystemVendorId()).isEqualTo(0x1af4);
      assertThat(identity.serial()).isEqualTo("SN-1");
      assertThat(identity.model()).isEqualTo("jvfio NVMe model");
      assertThat(identity.firmware()).isEqualTo("1.0");
      assertThat(identity.version()).isEqualTo("1.4.0");
      assertThat(identity.mdtsBytes()).isEqualTo(512 << 10);
      assertThat(identity.namespaceCount()).isEqualTo(1);
      assertThat(identity.volatileWriteCache()).isTrue();
      assertThat(identity.subsystemName()).isEqualTo("nqn.2026-11.io.jvfio:nvme-model:SN-1");
    }
  }

  /** A server may let registers before the doorbells be mapped with them, or doorbells alone. */
  @ParameterizedTest
  @CsvSource({"0x1000, 0x1000", "0, 0x2000", "0, 0x3000", "0x1000, 0x3000"})
  void ringsDoorbellsInThePartThatCanBeMapped(String offset, String byteSize) {
    device.areas = List.of(new MappableArea(Long.decode(offset), Long.decode(byteSize)));
    try (var controller = NvmeController.open(device);
        var data = buffer(512)) {
      int before = device.mappedRings;
      assertThat(before).as("the admin queue's").isPositive();
      controller.namespace(1).write(0, 1, data, 0);
      assertThat(device.mappedRings).isGreaterThan(before);
      assertThat(device.mappedRings).isEqualTo(Arrays.stream(device.rings).sum());
    }
    assertThat(device.openRegisters).isZero();
  }

  /** A store into memory costs no more than one into a shadow, which an event index goes with. */
  @ParameterizedTest
  @CsvSource({"true, 0x1000, 20", "false, 0x1000, 11", "true, 0x0400, 11"})
  void doorbellsThatAreMemoryHaveNoShadows(boolean isMemory, String byteSize, int rings) {
    device.isMemory = isMemory;
    device.areas = List.of(new MappableArea(0x1000, Long.decode(byteSize)));
    try (var controller = NvmeController.open(device);
        var data = buffer(512)) {
      var namespace = controller.namespace(1);
      int before = device.mappedRings;
      for (int i = 0; i < 10; i++) {
        namespace.write(i, 1, data, 0);
      }
      assertThat(device.mappedRings - before).isEqualTo(rings);
    }
  }

  @Test
  void mapsNothingBesidesARegionThatIsMappedAsAWhole() {
    device.areas = List.of(new MappableArea(0, device.region(0).info().byteSize()));
    try (var controller = NvmeController.open(device)) {
      assertThat(controller.namespace(1).blockCount()).isPositive();
    }
    assertThat(device.mappedRings).isZero();
  }

  /** Who has the device next may listen at its line. */
  @ParameterizedTest
  @ValueSource(ints = {0, 0x400})
  void leavesTheInterruptLineAsItWas(int command) {
    device.config().write16(4, command);
    try (var controller = NvmeController.open(device)) {
      assertThat(controller.resets()).isZero();
      assertThat(device.config().read16(4) & 0x400).as("meanwhile").isEqualTo(0x400);
    }
    assertThat(device.config().read16(4) & 0x400).isEqualTo(command);
  }

  @Test
  void tellsSizeAndFormatOfANamespace() {
    try (var controller = NvmeController.open(device)) {
      var namespace = controller.namespace(1);

      assertThat(namespace.id()).isEqualTo(1);
      assertThat(namespace.blockSize()).isEqualTo(512);
      assertThat(namespace.blockCount()).isEqualTo(DISK_SIZE / 512);
      assertThat(namespace.byteSize()).isEqualTo(DISK_SIZE);
      assertThat(namespace.identify().format()).isEqualTo(new LbaFormat(512, 0, 0));
    }
  }

  @Test
  void readsBackWhatItWroteInBlocksOf4096() {
    try (var disk = new FakeDevice(NvmeModel.inMemory("4k", DISK_SIZE, 4096));
        var controller = NvmeController.open(disk);
        var source = disk.dmaSpace().allocate(5 * 4096);
        var target = disk.dmaSpace().allocate(5 * 4096)) {
      var namespace = controller.namespace(1);
      fillRandom(source.segment(), 1);

      namespace.write(7, 5, source, 0);
      namespace.read(7, 5, target, 0);

      assertThat(namespace.blockSize()).isEqualTo(4096);
      assertThat(target.segment().mismatch(source.segment())).isEqualTo(-1);
    }
  }

  @ParameterizedTest
  @CsvSource({
    // blocks, offset in the buffer: one page, two, a list, an offset, the largest command, more
    "1, 0",
    "8, 0",
    "9, 0",
    "16, 0",
    "17, 0",
    "1, 4",
    "1, 4092",
    "8, 4",
    "16, 2048",
    "1024, 0",
    "1024, 12",
    "1025, 0",
    "4099, 1364",
    "9000, 4"
  })
  void readsBackWhatItWroteWhateverTheLengthAndTheOffset(int blocks, int offset) {
    long bytes = blocks * 512L;
    try (var controller = NvmeController.open(device);
        var source = buffer(offset + bytes);
        var target = buffer(offset + bytes + 512)) {
      var namespace = controller.namespace(1);
      fillRandom(source.segment(), blocks);

      namespace.write(3, blocks, source, offset);
      namespace.read(3, blocks, target, offset);
      namespace.flush();

      assertThat(
              target
                  .segment()
                  .asSlice(offset, bytes)
                  .mismatch(source.segment().asSlice(offset, bytes)))
          .isEqualTo(-1);
      assertThat(target.segment().get(ValueLayout.JAVA_BYTE, offset + bytes)).isZero();
    }
  }

  @Test
  void writesOnlyTheBlocksAskedFor() {
    try (var controller = NvmeController.open(device);
        var data = buffer(4 * 512)) {
      var namespace = controller.namespace(1);
      data.segment().fill((byte) 1);
      namespace.write(10, 2, data, 0);

      namespace.read(9, 4, data, 0);

      var bytes = data.segment();
      assertThat(bytes.asSlice(0, 512).mismatch(MemorySegment.ofArray(new byte[512])))
          .isEqualTo(-1);
      assertThat(bytes.get(ValueLayout.JAVA_BYTE, 512)).isEqualTo((byte) 1);
      assertThat(bytes.get(ValueLayout.JAVA_BYTE, 1535)).isEqualTo((byte) 1);
      assertThat(bytes.get(ValueLayout.JAVA_BYTE, 1536)).isZero();
    }
  }

  @Test
  void keepsSeveralCommandsOfOneTransferInFlight() {
    try (var controller = NvmeController.open(device);
        var data = buffer(4 << 20)) {
      var namespace = controller.namespace(1);
      int before = device.rings[IO_SUBMISSION_DOORBELL];

      namespace.write(0, 8192, data, 0);

      // Eight commands of 512 KiB, shown to the controller at once.
      assertThat(device.rings[IO_SUBMISSION_DOORBELL] - before).isEqualTo(1);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 64, 1024})
  void goesRoundItsQueuesManyTimes(int entries) {
    var options = NvmeOptions.defaults().withQueueEntries(entries);
    try (var controller = NvmeController.open(device, options);
        var data = buffer(4 << 20)) {
      var namespace = controller.namespace(1);
      for (int i = 0; i < 3000; i++) {
        data.segment().set(ValueLayout.JAVA_INT, 0, i);
        namespace.write(i, 1, data, 0);
      }
      namespace.write(4096, 8192, data, 0);
      for (int i = 0; i < 3000; i++) {
        namespace.read(i, 1, data, 512);
        assertThat(data.segment().get(ValueLayout.JAVA_INT, 512)).isEqualTo(i);
      }
    }
  }

  @Test
  void refusesBlocksOutsideOfTheNamespace() {
    long blocks = DISK_SIZE / 512;
    try (var controller = NvmeController.open(device);
        var data = buffer(4096)) {
      var namespace = controller.namespace(1);
      for (long[] range : new long[][] {{blocks, 1}, {-1, 1}, {blocks - 1, 2}, {0, 0}, {5, -1}}) {
        assertThatThrownBy(() -> namespace.read(range[0], range[1], data, 0))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
      namespace.read(blocks - 1, 1, data, 0);
    }
  }

  @Test
  void refusesMemoryOutsideOfTheBuffer() {
    try (var controller = NvmeController.open(device);
        var data = buffer(4096)) {
      var namespace = controller.namespace(1);

      assertThatThrownBy(() -> namespace.write(0, 9, data, 0))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> namespace.write(0, 8, data, 4))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> namespace.write(0, 1, data, -4))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatIllegalArgumentException().isThrownBy(() -> namespace.write(0, 1, data, 2));
    }
  }

  @Test
  void refusesAClosedBuffer() {
    try (var controller = NvmeController.open(device)) {
      var namespace = controller.namespace(1);
      var data = buffer(4096);
      data.close();

      assertThatIllegalStateException().isThrownBy(() -> namespace.read(0, 1, data, 0));
    }
  }

  @Test
  void namesCommandAndStatusOfAFailureAndGoesOn() {
    try (var controller = NvmeController.open(device);
        var mapped = buffer(4096);
        var unmapped = buffer(4 << 20)) {
      var namespace = controller.namespace(1);
      device.memory.unmap(unmapped);

      assertThatThrownBy(() -> namespace.read(5, 8000, unmapped, 0))
          .isInstanceOfSatisfying(
              NvmeStatusException.class,
              e -> {
                assertThat(e.command()).isEqualTo("Read");
                assertThat(e.subject()).contains("block 5", "namespace 1", FakeDevice.NAME);
                assertThat(e.statusName()).isEqualTo("Data Transfer Error");
                assertThat(e.statusType()).isZero();
                assertThat(e.statusCode()).isEqualTo(4);
                assertThat(e.doNotRetry()).isFalse();
              })
          .hasMessageContaining("Data Transfer Error");
      namespace.read(0, 8, mapped, 0);
    }
  }

  @Test
  void refusesANamespaceThatDoesNotExist() {
    try (var controller = NvmeController.open(device)) {
      assertThatThrownBy(() -> controller.namespace(2))
          .isInstanceOf(NvmeStatusException.class)
          .hasMessageContaining("Identify of namespace 2")
          .hasMessageContaining("Invalid Namespace or Format")
          .hasMessageContaining("do not retry");
      assertThatIllegalArgumentException().isThrownBy(() -> controller.namespace(0));
      assertThat(controller.namespace(1).id()).isEqualTo(1);
    }
  }

  @Test
  void opensAgainAfterClose() {
    for (int i = 0; i < 3; i++) {
      try (var controller = NvmeController.open(device);
          var data = buffer(512)) {
        controller.namespace(1).read(0, 1, data, 0);
      }
    }
    assertThat(device.memory.openBuffers()).isZero();
    assertThat(device.openRegisters).isZero();
  }

  @Test
  void cannotBeUsedAfterClose() {
    var controller = NvmeController.open(device);
    var namespace = controller.namespace(1);
    controller.close();
    controller.close();

    try (var data = buffer(512)) {
      assertThatIllegalStateException().isThrownBy(() -> namespace.read(0, 1, data, 0));
      assertThatIllegalStateException().isThrownBy(namespace::flush);
      assertThatIllegalStateException().isThrownBy(() -> controller.namespace(1));
      assertThatIllegalStateException().isThrownBy(controller::identify);
    }
    assertThat(device.isBusMaster()).isFalse();
  }

  @Test
  void servesSeveralThreads() throws Exception {
    try (var controller = NvmeController.open(device);
        var executor = Executors.newFixedThreadPool(4)) {
      var namespace = controller.namespace(1);
      var results = new ArrayList<Future<Long>>();
      for (int thread = 0; thread < 4; thread++) {
        long seed = thread;
        results.add(executor.submit(() -> roundTrips(namespace, seed)));
      }
      for (var result : results) {
        assertThat(result.get()).isEqualTo(-1);
      }
    }
  }

  private long roundTrips(NvmeNamespace namespace, long seed) {
    try (var source = buffer(64 << 10);
        var target = buffer(64 << 10)) {
      for (int i = 0; i < 50; i++) {
        fillRandom(source.segment(), seed + i * 100L);
        namespace.write(seed * 1000, 128, source, 0);
        namespace.read(seed * 1000, 128, target, 0);
        if (target.segment().mismatch(source.segment()) != -1) {
          return i;
        }
      }
      return -1;
    }
  }

  @Test
  void canBeClosedByAnotherThreadWhileItTransfers() throws Exception {
    var controller = NvmeController.open(device);
    var namespace = controller.namespace(1);
    try (var executor = Executors.newSingleThreadExecutor();
        var data = buffer(1 << 20)) {
      var transfers =
          executor.submit(
              () -> {
                while (true) {
                  namespace.write(0, 2048, data, 0);
                }
              });
      Thread.sleep(20);
      controller.close();

      assertThatThrownBy(transfers::get)
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(IllegalStateException.class);
    }
    assertThat(device.memory.openBuffers()).isZero();
  }

  @Test
  void worksWithADeviceThatRunsOnItsOwn() throws Exception {
    try (var _ = device.startThread();
        var controller = NvmeController.open(device);
        var source = buffer(8 << 20);
        var target = buffer(8 << 20)) {
      var namespace = controller.namespace(1);
      fillRandom(source.segment(), 42);

      namespace.write(0, 16384, source, 0);
      namespace.read(0, 16384, target, 0);

      assertThat(target.segment().mismatch(source.segment())).isEqualTo(-1);
    }
  }

  @Test
  void refusesQueuesAtAddressZeroWithANamedError() {
    device.memory.nextIova = 0;

    // The admin submission queue comes to lie at address 0, which controllers take for "not set".
    assertThatThrownBy(() -> NvmeController.open(device))
        .isInstanceOf(VfioException.class)
        .hasMessageContaining("enable")
        .hasMessageContaining("CSTS.CFS");
    assertThat(device.memory.openBuffers()).isZero();
  }
}
