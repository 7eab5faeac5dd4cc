// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.jvfio.IommuType;
import io.jvfio.VfioException;
import io.jvfio.model.nvme.NvmeModel;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is left behind, and said, when a controller or a step fails. */
class NvmeFailureTest {
  private static final long DISK_SIZE = 1 << 20;
  private static final NvmeOptions PLAIN = NvmeOptions.defaults().withShadowDoorbells(false);
  private static final NvmeOptions IMPATIENT = PLAIN.withCommandTimeout(Duration.ofMillis(20));

  private static FakeDevice device() {
    return new FakeDevice(NvmeModel.inMemory("SN", DISK_SIZE));
  }

  private static void assertNothingLeft(FakeDevice device) {
    assertLeft(device, 0);
  }

  private static void assertLeft(FakeDevice device, int buffersOfTheTest) {
    assertThat(device.memory.openBuffers()).isEqualTo(buffersOfTheTest);
    assertThat(device.openRegisters).isZero();
    assertThat(device.isBusMaster()).isFalse();
    assertThat(device.journal).doesNotContain("free while bus master");
  }

  @Test
  void leavesNothingBehindWhicheverAccessOfOpeningFails() {
    int accesses;
    try (var device = device()) {
      NvmeController.open(device, PLAIN);
      accesses = device.accesses;
    }
    assertThat(accesses).isGreaterThan(20);
    for (int access = 0; access < accesses; access++) {
      try (var device = device()) {
        device.failAtAccess = access;

        assertThatThrownBy(() -> NvmeController.open(device, PLAIN))
            .isInstanceOf(FakeDevice.InjectedException.class);
        assertNothingLeft(device);
      }
    }
  }

  @Test
  void freesEverythingWhicheverAccessOfClosingFails() {
    for (int access = 0; access < 20; access++) {
      try (var device = device()) {
        var controller = NvmeController.open(device, PLAIN);
        device.failAtAccess = device.accesses + access;

        var failure = catchThrowable(controller::close);

        assertThat(failure == null || failure instanceof FakeDevice.InjectedException).isTrue();
        assertNothingLeft(device);
      }
    }
  }

  @Test
  void closesInTheOrderThatTheDeviceNeeds() {
    try (var device = device()) {
      var controller = NvmeController.open(device, PLAIN);
      device.journal.clear();
      int adminCommands = device.rings[0];

      controller.close();

      // Delete both queues; then shutdown notification, disable, bus master off, free, unmap.
      assertThat(device.rings[0] - adminCommands).isEqualTo(2);
      assertThat(device.journal)
          .isEqualTo(
              List.of(
                  "CC 0x464001",
                  "CC 0x460000",
                  "bus master off",
                  "free",
                  "free",
                  "registers closed"));
    }
  }

  @Test
  void stopsAControllerThatDoesNotCompleteACommand() {
    try (var device = device();
        var data = device.dmaSpace().allocate(4096)) {
      var controller = NvmeController.open(device, IMPATIENT);
      var namespace = controller.namespace(1);
      device.ignoresDoorbells = true;

      assertThatThrownBy(() -> namespace.read(0, 8, data, 0))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("wait for a command")
          .hasMessageContaining(FakeDevice.NAME)
          .hasMessageContaining("commandTimeout");
      assertThat(device.isBusMaster()).isFalse();
      assertThatThrownBy(namespace::flush)
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("earlier failure");

      controller.close();
      assertLeft(device, 1);
    }
  }

  @Test
  void givesUpOpeningAControllerThatIgnoresItsDoorbells() {
    try (var device = device()) {
      device.ignoresDoorbells = true;

      assertThatThrownBy(() -> NvmeController.open(device, IMPATIENT))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("wait for a command");
      assertNothingLeft(device);
    }
  }

  @Test
  void suggestsThatDmaIsLostWhereNoCommandHasEverCompleted() {
    for (var type : IommuType.values()) {
      try (var device = device()) {
        device.ignoresDoorbells = true;
        device.memory.type = type;

        assertThatThrownBy(() -> NvmeController.open(device, IMPATIENT))
            .isInstanceOf(VfioException.class)
            .hasMessageContaining("admin command 0x06, the first of all, within 20 ms")
            .hasMessageContaining("its DMA does not arrive (IOMMU type %s)", type)
            .hasMessageContaining("commandTimeout")
            .satisfies(
                e ->
                    assertThat(e.toString().contains("amd-iommu unless it has dma-remap=on"))
                        .isEqualTo(type.id().startsWith("type1") || type == IommuType.IOMMUFD));
      }
    }
  }

  @Test
  void doesNotBlameDmaThatIsKnownToArrive() {
    try (var device = device()) {
      var controller = NvmeController.open(device, IMPATIENT);
      device.ignoresDoorbells = true;

      assertThatThrownBy(() -> controller.logPage(2, -1, 0, 512))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("wait for a command")
          .hasMessageContaining("commandTimeout")
          .hasMessageNotContaining("DMA");
      controller.close();
    }
  }

  @Test
  void saysThatTheDeviceIsGone() {
    try (var device = device();
        var data = device.dmaSpace().allocate(4096)) {
      var controller = NvmeController.open(device, IMPATIENT);
      var namespace = controller.namespace(1);
      device.ignoresDoorbells = true;
      device.isGone = true;

      assertThatThrownBy(() -> namespace.write(0, 8, data, 0))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("gone");
      assertThatThrownBy(controller::close).isInstanceOf(VfioException.class);
      assertLeft(device, 1);
    }
  }

  @Test
  void doesNotOpenADeviceThatIsGone() {
    try (var device = device()) {
      device.isGone = true;

      assertThatThrownBy(() -> NvmeController.open(device, PLAIN))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("read as ones");
      assertNothingLeft(device);
    }
  }

  @Test
  void noticesAFatalErrorWithoutWaitingForTheTimeOut() {
    try (var device = device();
        var data = device.dmaSpace().allocate(4096)) {
      var controller = NvmeController.open(device, PLAIN);
      var namespace = controller.namespace(1);
      // The controller cannot reach its queues any more.
      device.memory.close();

      assertThatThrownBy(() -> namespace.write(0, 8, data, 0))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("CSTS.CFS");
      controller.close();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, Identify",
    "1, Set Features",
    "2, Create I/O Completion Queue",
    "3, Create I/O Submission Queue"
  })
  void namesTheAdminCommandThatFailedAndLeavesNothing(int command, String name) {
    var model = new MeddledModel(NvmeModel.inMemory("SN", DISK_SIZE));
    model.failingCompletion = command;
    try (var device = new FakeDevice(model)) {
      assertThatThrownBy(() -> NvmeController.open(device, PLAIN))
          .isInstanceOf(NvmeStatusException.class)
          .hasMessageContaining(name)
          .hasMessageContaining("Internal Error")
          .hasMessageContaining(FakeDevice.NAME);
      assertNothingLeft(device);
    }
  }

  @Test
  void doesNotTrustACompletionOfAnUnknownCommand() {
    var model = new MeddledModel(NvmeModel.inMemory("SN", DISK_SIZE));
    try (var device = new FakeDevice(model);
        var data = device.dmaSpace().allocate(4096)) {
      var controller = NvmeController.open(device, PLAIN);
      var namespace = controller.namespace(1);
      model.commandIdOffset = 1;

      assertThatThrownBy(() -> namespace.write(0, 8, data, 0))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("not given");
      controller.close();
      assertLeft(device, 1);
    }
  }

  @Test
  void givesUpAControllerThatDoesNotBecomeReady() {
    var model = new MeddledModel(NvmeModel.inMemory("SN", DISK_SIZE));
    model.isNeverReady = true;
    model.timeoutUnits = 1;
    try (var device = new FakeDevice(model)) {
      assertThatThrownBy(() -> NvmeController.open(device, PLAIN))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("NVMe: enable")
          .hasMessageContaining("500 ms");
      assertNothingLeft(device);
    }
  }

  @Test
  void doesNotDriveAControllerWithLargerPages() {
    var model = new MeddledModel(NvmeModel.inMemory("SN", DISK_SIZE));
    model.smallestPageShift = 13;
    try (var device = new FakeDevice(model)) {
      assertThatThrownBy(() -> NvmeController.open(device, PLAIN))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining("larger than 4 KiB");
      assertNothingLeft(device);
    }
  }

  @Test
  void keepsWithinTheQueuesOfTheController() {
    var model = new MeddledModel(NvmeModel.inMemory("SN", DISK_SIZE));
    model.maxQueueEntries = 4;
    try (var device = new FakeDevice(model);
        var controller = NvmeController.open(device, PLAIN);
        var data = device.dmaSpace().allocate(DISK_SIZE)) {
      var namespace = controller.namespace(1);
      for (int i = 0; i < 20; i++) {
        namespace.write(0, namespace.blockCount(), data, 0);
      }
      assertThat(model.createdEntries).isEqualTo(4);
    }
  }
}
