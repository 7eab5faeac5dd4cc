// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.sun.management.ThreadMXBean;
import io.jvfio.DmaAccess;
import io.jvfio.DmaRange;
import io.jvfio.MapOptions;
import io.jvfio.MigrationState;
import io.jvfio.PciDevice;
import io.jvfio.VfioException;
import io.jvfio.linux.Registers;
import io.jvfio.model.edu.EduModel;
import io.jvfio.model.gpio.GpioModel;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.nvme.NvmeController;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Client and server of this module, with each other. */
@Timeout(120)
class RealServerTest {
  private static final long EDU_LIVENESS = 0x04;
  private static final long EDU_FACTORIAL = 0x08;
  private static final long EDU_STATUS = 0x20;
  private static final long EDU_RAISE = 0x60;
  private static final long EDU_ACKNOWLEDGE = 0x64;
  private static final long EDU_DMA_SOURCE = 0x80;
  private static final long EDU_DMA_TARGET = 0x88;
  private static final long EDU_DMA_COUNT = 0x90;
  private static final long EDU_DMA_COMMAND = 0x98;
  private static final long EDU_BUFFER = 0x40000;

  /** A busy machine takes its time. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

  @TempDir Path directory;

  private Path path;
  private long descriptors;

  @BeforeEach
  void count() {
    path = directory.resolve("s");
    descriptors = OpenDescriptors.count();
  }

  @AfterEach
  void nothingStaysOpen() {
    assertThat(OpenDescriptors.count()).isEqualTo(descriptors);
  }

  private VfioUserServer serveEdu(boolean twin, boolean polling) {
    var options = VfioUserServerOptions.at(path);
    options = twin ? options : options.withoutTwinSocket();
    return VfioUserServer.serve(new EduModel(), polling ? options.withPolling() : options);
  }

  @Test
  void tellsWhatTheDeviceIs() {
    try (var _ = serveEdu(true, false);
        var device = VfioUser.open(path)) {
      var pci = PciDevice.of(device);
      assertThat(pci.identity().vendor()).isEqualTo(0x1234);
      assertThat(pci.identity().device()).isEqualTo(0x11e8);
      assertThat(pci.isPresent()).isTrue();
      assertThat(device.region(0).info().byteSize()).isEqualTo(1 << 20);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void computesAndInterrupts(boolean polling) {
    try (var _ = serveEdu(true, polling);
        var device =
            VfioUser.open(
                path,
                VfioUserOptions.defaults()
                    .withBusyPolling(polling ? Duration.ofMillis(1) : Duration.ZERO))) {
      device.enableBusMaster();
      var registers = device.region(0).registers();
      registers.write32(EDU_LIVENESS, 0x1234_5678);
      assertThat(registers.read32(EDU_LIVENESS)).isEqualTo(~0x1234_5678);
      var msi = device.interrupts().enableMsi(1);
      registers.write32(EDU_STATUS, 0x80);
      registers.write32(EDU_FACTORIAL, 10);
      assertThat(msi.vector(0).await(Duration.ofSeconds(60))).isPositive();
      assertThat(registers.read32(EDU_FACTORIAL)).isEqualTo(3_628_800);
      registers.write32(EDU_ACKNOWLEDGE, 1);
      registers.write32(EDU_RAISE, 4);
      assertThat(msi.vector(0).await(Duration.ofSeconds(60))).isPositive();
      registers.write32(EDU_ACKNOWLEDGE, 4);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void movesDataWithAndWithoutADescriptor(boolean twin) {
    try (var _ = serveEdu(twin, false);
        var device = VfioUser.open(path);
        var arena = Arena.ofShared()) {
      device.enableBusMaster();
      var registers = device.region(0).registers();
      var buffer = device.dmaSpace().allocate(4096);
      var memory = arena.allocate(4096, 4096);
      var mapping = device.dmaSpace().map(memory);
      for (int i = 0; i < 4096; i++) {
        memory.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 13));
      }
      move(registers, mapping.iova(), EDU_BUFFER, 1);
      move(registers, EDU_BUFFER, buffer.iova(), 3);
      assertThat(buffer.segment().mismatch(memory)).isEqualTo(-1);
      memory.fill((byte) 0);
      move(registers, EDU_BUFFER, mapping.iova(), 3);
      assertThat(buffer.segment().mismatch(memory)).isEqualTo(-1);
      mapping.close();
    }
  }

  private static void move(Registers registers, long from, long to, int command) {
    registers.write64(EDU_DMA_SOURCE, from);
    registers.write64(EDU_DMA_TARGET, to);
    registers.write64(EDU_DMA_COUNT, 4096);
    registers.write64(EDU_DMA_COMMAND, command);
    long begin = System.nanoTime();
    while ((registers.read64(EDU_DMA_COMMAND) & 1) != 0) {
      if (System.nanoTime() - begin > LIMIT_NANOS) {
        throw new AssertionError("no end of DMA");
      }
      Thread.onSpinWait();
    }
  }

  /** Neither side, for register accesses nor for memory that the server asks the client for. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void nothingIsAllocatedForAMessage(boolean polling) {
    try (var _ = serveEdu(true, polling);
        var device = VfioUser.open(path);
        var arena = Arena.ofShared()) {
      device.enableBusMaster();
      var mapping = device.dmaSpace().map(arena.allocate(4096, 4096));
      var registers = device.region(0).registers();
      var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long[] all = threadsOfThisTest();
      long least = Long.MAX_VALUE;
      long end = System.nanoTime() + LIMIT_NANOS;
      while (least > 0 && System.nanoTime() < end) {
        long before = allocated(threads, all);
        for (int i = 0; i < 200; i++) {
          registers.write32(EDU_LIVENESS, registers.read32(EDU_LIVENESS) + 1);
          move(registers, mapping.iova(), EDU_BUFFER, 1);
          move(registers, EDU_BUFFER, mapping.iova(), 3);
        }
        least = Math.min(least, allocated(threads, all) - before);
      }
      assertThat(least).isZero();
      mapping.close();
    }
  }

  /** This thread, and those of the server and of the device, which have its path in their names. */
  private long[] threadsOfThisTest() {
    var found =
        Thread.getAllStackTraces().keySet().stream()
            .filter(
                thread ->
                    thread.equals(Thread.currentThread())
                        || thread.getName().contains(path.toString()))
            .mapToLong(Thread::threadId)
            .toArray();
    assertThat(found).hasSizeGreaterThanOrEqualTo(5); // accepting, session, poll, twin, this
    return found;
  }

  /** One by one: an array of results would count itself. */
  private static long allocated(ThreadMXBean threads, long[] all) {
    long bytes = 0;
    for (long thread : all) {
      bytes += threads.getThreadAllocatedBytes(thread);
    }
    return bytes;
  }

  @Test
  void doesNotReachWhatItMayOnlyRead() {
    try (var _ = serveEdu(true, false);
        var device = VfioUser.open(path);
        var arena = Arena.ofShared()) {
      device.enableBusMaster();
      var memory = arena.allocate(4096, 4096);
      memory.fill((byte) 1);
      var mapping = device.dmaSpace().map(memory, MapOptions.anywhere().withAccess(DmaAccess.READ));
      move(device.region(0).registers(), EDU_BUFFER, mapping.iova(), 3);
      assertThat(memory.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
      mapping.close();
    }
  }

  @Test
  void setsLinesOfThePorts() {
    var model = new GpioModel();
    try (var _ = VfioUserServer.serve(model, path);
        var device = VfioUser.open(path)) {
      var ports = device.region(2).registers();
      ports.write8(0, (byte) 0x5a);
      assertThat(ports.read8(0)).isEqualTo((byte) 0x5a);
    }
  }

  @Test
  void servesOneClientAtATimeAndSaysSo() {
    try (var _ = serveEdu(true, false);
        var first = VfioUser.open(path)) {
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(
              () ->
                  VfioUser.open(
                      path, VfioUserOptions.defaults().withRequestTimeout(Duration.ofSeconds(5))))
          .withMessageContaining("serves another client");
      assertThat(first.config().read16(0)).isEqualTo(0x1234);
    }
  }

  @Test
  void opensAgainAndAgain() {
    try (var _ = serveEdu(true, false)) {
      for (int i = 0; i < 20; i++) {
        try (var device = VfioUser.open(path)) {
          assertThat(device.config().read16(0)).isEqualTo(0x1234);
        }
      }
    }
  }

  @Test
  void logsWritesOfANvmeController() {
    var model = NvmeModel.of(NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)));
    try (var _ = VfioUserServer.serve(model, path);
        var device = VfioUser.open(path);
        var controller = NvmeController.open(device);
        var buffer = device.dmaSpace().allocate(1 << 20);
        var arena = Arena.ofConfined()) {
      var range = new DmaRange(buffer.iova(), buffer.byteSize());
      try (var log = device.features().startDmaLogging(4096, List.of(range))) {
        controller.namespace(1).read(0, 16, buffer, 8192);
        var bitmap = arena.allocate(1 << 20 >> 12 >> 3, 8);
        log.read(buffer, bitmap);
        assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0b1100);
      }
    }
  }

  @Test
  void refusesMigrationOfADeviceThatCannotBeMigrated() {
    try (var _ = serveEdu(true, false);
        var device = VfioUser.open(path)) {
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.features().migration().enter(MigrationState.STOP))
          .withMessageContaining("The server has no such feature.");
    }
  }
}
