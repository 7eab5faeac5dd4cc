// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.jvfio.DeviceFeature;
import io.jvfio.DmaRange;
import io.jvfio.MappableArea;
import io.jvfio.MigrationSink;
import io.jvfio.MigrationSource;
import io.jvfio.MigrationState;
import io.jvfio.PciAddress;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Registers;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.Resources;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import io.jvfio.testkit.CopyEngine;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What devices, drivers and kernels can do beyond the rest. */
class DeviceFeaturesTest {
  private static final String HOST = "x86-6.12";
  private static final String DEVICE = "0000:00:01.0";
  private static final PciAddress ADDRESS = PciAddress.parse(DEVICE);
  private static final int BUFFER = 0x3000;

  /** A host with an engine, and what it held before anything was opened. */
  private static final class Machine implements AutoCloseable {
    final CopyEngine engine = new CopyEngine(BUFFER);
    final SimulatedHost simulated;
    final FaultInjector injector;
    final VfioHost host;
    private final Resources before;

    Machine(HostOptions options) {
      this(HOST, options);
    }

    Machine(String name, HostOptions options) {
      simulated =
          SimulatedHosts.open(
              name, options.withModels(address -> address.equals(DEVICE) ? engine : null));
      injector = new FaultInjector(simulated.kernel());
      host = VfioHost.of("sim:" + name, injector);
      before = simulated.resources();
    }

    VfioDevice open() {
      return host.open(ADDRESS);
    }

    @Override
    public void close() {
      try (simulated) {
        assertThat(simulated.resources()).isEqualTo(before);
      }
    }
  }

  private static HostOptions migratable(boolean peerToPeer, boolean preCopy) {
    return OpenSpace.unlimited().withMigration(DEVICE, peerToPeer, preCopy);
  }

  @ParameterizedTest
  @CsvSource({
    "pseries-5.10, 0000:00:00.0, ''",
    "pseries-6.8, 0000:00:00.0, LOW_POWER",
    "pseries-6.12, 0000:00:00.0, LOW_POWER",
    "x86-6.12-iommufd, 0000:00:01.0, LOW_POWER",
  })
  void plainVfioPciHasLowPowerAndNothingElse(String name, String address, String prefix) {
    try (var simulated = SimulatedHosts.open(name, OpenSpace.unlimited());
        var device = VfioHost.of(name, simulated.kernel()).open(PciAddress.parse(address))) {
      var features = device.features();
      assertThat(features.supported())
          .containsExactlyInAnyOrderElementsOf(
              List.of(DeviceFeature.values()).stream()
                  .filter(feature -> !prefix.isEmpty() && feature.name().startsWith(prefix))
                  .toList());
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(features::migration)
          .withMessageContainingAll("ENOTTY", "vendor's own VFIO driver");
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> features.setVfToken(UUID.randomUUID()))
          .withMessageContainingAll("ENOTTY", "SR-IOV");
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> features.startDmaLogging(4096, List.of(new DmaRange(0, 4096))))
          .withMessageContaining("ENOTTY");
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(
              () -> features.exportDmaBuf(device.region(0), List.of(new MappableArea(0, 4096))))
          .withMessageContainingAll("ENOTTY", "6.19");
      if (prefix.isEmpty()) {
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(features::enterLowPower)
            .withMessageContainingAll("ENOTTY", "6.1");
      }
    }
  }

  @Test
  void aSleepingDeviceAnswersCallsAndNotMappings() {
    try (var machine = new Machine(OpenSpace.unlimited());
        var device = machine.open()) {
      var features = device.features();
      var registers = device.region(0).registers();
      features.exitLowPower();
      registers.write64(CopyEngine.SCRATCH, 5);
      features.enterLowPower();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> registers.read64(CopyEngine.SCRATCH))
          .withMessageContaining("asleep");
      try (var arena = Arena.ofConfined()) {
        var bytes = arena.allocate(8, 8);
        device.region(0).read(CopyEngine.SCRATCH, bytes);
        assertThat(bytes.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(5);
      }
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(features::enterLowPower)
          .withMessageContainingAll("EINVAL", "already", "exitLowPower");
      features.exitLowPower();
      assertThat(registers.read64(CopyEngine.SCRATCH)).isEqualTo(5);
    }
  }

  @Test
  void theFirstUseWakesADeviceThatTellsOfIt() {
    try (var machine = new Machine(OpenSpace.unlimited());
        var device = machine.open()) {
      var features = device.features();
      var registers = device.region(0).registers();
      try (var wakeup = features.enterLowPowerUntilWoken()) {
        assertThat(wakeup.await(Duration.ZERO)).isFalse();
        assertThatExceptionOfType(VfioException.class).isThrownBy(() -> registers.read32(0));
        device.config().read16(0);
        assertThat(wakeup.await(Duration.ofSeconds(30))).isTrue();
        assertThat(registers.read32(0)).isZero();
      }
      var forgotten = features.enterLowPowerUntilWoken();
      forgotten.close();
      forgotten.close();
      device.config().read16(0);
      assertThat(registers.read32(0)).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"eventfd", "VFIO_DEVICE_FEATURE"})
  void armingAWakeUpThatFailsLeavesNothingOpen(String operation) {
    try (var machine = new Machine(OpenSpace.unlimited());
        var device = machine.open()) {
      var open = machine.simulated.resources();
      for (var errno : List.of(Errno.EMFILE, Errno.ENOMEM, Errno.ENODEV, Errno.EINVAL)) {
        machine.injector.failNone().failEvery(operation, errno);
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> device.features().enterLowPowerUntilWoken())
            .withMessageContainingAll(operation, errno.symbol());
        assertThat(machine.simulated.resources()).isEqualTo(open);
      }
      machine.injector.failNone();
    }
  }

  @Test
  void aVirtualFunctionOpensWithTheTokenOfItsPhysicalOne() {
    var virtual = PciAddress.parse("0000:00:01.4");
    try (var simulated =
        SimulatedHosts.open(
            HOST, OpenSpace.unlimited().withVirtualFunction(virtual.toString(), DEVICE))) {
      var before = simulated.resources();
      var host = VfioHost.of("sim:" + HOST, simulated.kernel());
      var token = UUID.fromString("bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3");
      try (var physical = host.open(ADDRESS)) {
        assertThat(physical.features().supported()).contains(DeviceFeature.VF_TOKEN);
        physical.features().setVfToken(token);
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> host.open(virtual))
            .withMessageContainingAll("EACCES", "missing", "withVfToken(" + virtual);
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> host.withVfToken(virtual, UUID.randomUUID()).open(virtual))
            .withMessageContainingAll("EACCES", "another than the one given");
        try (var opened = host.withVfToken(virtual, token).open(virtual)) {
          assertThat(opened.config().read16(0)).isEqualTo(0x1b36);
        }
      }
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(
              () ->
                  host.withVfToken(PciAddress.parse("0000:00:02.0"), token)
                      .open(PciAddress.parse("0000:00:02.0")))
          .withMessageContainingAll("EINVAL", "no VF token");
      assertThat(simulated.resources()).isEqualTo(before);
    }
  }

  @Test
  void aPhysicalFunctionTakesATokenWhileNobodyUsesItsVirtualOnes() {
    var virtual = PciAddress.parse("0000:00:01.4");
    try (var simulated =
        SimulatedHosts.open(
            HOST, OpenSpace.unlimited().withVirtualFunction(virtual.toString(), DEVICE))) {
      var host = VfioHost.of("sim:" + HOST, simulated.kernel());
      var token = UUID.randomUUID();
      host.withVfToken(ADDRESS, token).open(ADDRESS).close();
      try (var _ = host.withVfToken(virtual, token).open(virtual)) {
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> host.open(ADDRESS))
            .withMessageContaining("EACCES");
        host.withVfToken(ADDRESS, token).open(ADDRESS).close();
      }
      host.open(ADDRESS).close();
    }
  }

  @Test
  void aNodeOfAnOlderKernelIsBoundWithoutTheToken() {
    try (var simulated = SimulatedHosts.open("x86-6.12-iommufd", OpenSpace.unlimited())) {
      var host = VfioHost.of("sim", simulated.kernel()).withVfToken(ADDRESS, UUID.randomUUID());
      try (var device = host.open(ADDRESS)) {
        assertThat(device.config().read16(0)).isEqualTo(0x1b36);
      }
    }
  }

  private static byte[] readAll(MigrationSource source) throws IOException {
    var all = new ByteArrayOutputStream();
    var piece = ByteBuffer.allocate(1000);
    while (source.read(piece.clear()) > 0) {
      all.write(piece.array(), 0, piece.position());
    }
    return all.toByteArray();
  }

  @ParameterizedTest
  @CsvSource({"false, false", "false, true", "true, false", "true, true"})
  void aDeviceMovesToAnotherHostWithAllItKnows(boolean peerToPeer, boolean preCopy)
      throws IOException {
    var stream = new ByteArrayOutputStream();
    try (var machine = new Machine(migratable(peerToPeer, preCopy));
        var device = machine.open()) {
      device.enableBusMaster();
      var registers = device.region(0).registers();
      var migration = device.features().migration();
      assertThat(migration.stopsPeerToPeerFirst()).isEqualTo(peerToPeer);
      assertThat(migration.copiesWhileRunning()).isEqualTo(preCopy);
      assertThat(migration.state()).isEqualTo(MigrationState.RUNNING);
      registers.write64(CopyEngine.SCRATCH, 1);
      MigrationSource source = null;
      if (preCopy) {
        source = (MigrationSource) migration.enter(MigrationState.PRE_COPY).orElseThrow();
        assertThat(source.precopyInfo().initialBytes()).isPositive();
        stream.writeBytes(readAll(source));
        assertThat(source.precopyInfo().initialBytes()).isZero();
        assertThat(source.read(ByteBuffer.allocate(1))).as("no more for now").isZero();
      }
      registers.write64(CopyEngine.SCRATCH, 2);
      machine.engine.buffer.fill((byte) 0x5a);
      assertThat(migration.stopCopyBytes()).isGreaterThan(BUFFER);
      var opened = migration.enter(MigrationState.STOP_COPY);
      assertThat(opened.isPresent()).as("a stream goes on").isEqualTo(!preCopy);
      source = source == null ? (MigrationSource) opened.orElseThrow() : source;
      stream.writeBytes(readAll(source));
      assertThat(source.read(ByteBuffer.allocateDirect(1))).as("the end").isEqualTo(-1);
      assertThat(migration.enter(MigrationState.STOP)).isEmpty();
      var ended = source;
      assertThatExceptionOfType(IOException.class)
          .isThrownBy(() -> ended.read(ByteBuffer.allocate(1)))
          .withMessageContainingAll("ENODEV", "has left the state")
          .withCauseInstanceOf(VfioException.class);
    }
    try (var machine = new Machine(migratable(peerToPeer, preCopy));
        var device = machine.open()) {
      var migration = device.features().migration();
      try (var sink = (MigrationSink) migration.enter(MigrationState.RESUMING).orElseThrow()) {
        Channels.newOutputStream(sink).write(stream.toByteArray());
      }
      assertThat(migration.enter(MigrationState.RUNNING)).isEmpty();
      assertThat(migration.state()).isEqualTo(MigrationState.RUNNING);
      assertThat(device.region(0).registers().read64(CopyEngine.SCRATCH)).isEqualTo(2);
      assertThat(machine.engine.buffer.get(ValueLayout.JAVA_BYTE, BUFFER - 1))
          .isEqualTo((byte) 0x5a);
      assertThat(device.config().read16(4) & 4).as("bus mastering moves too").isEqualTo(4);
    }
  }

  @Test
  void aStoppedDeviceDoesNoDma() {
    try (var machine = new Machine(migratable(true, true));
        var device = machine.open();
        var memory = device.dmaSpace().allocate(4096)) {
      device.enableBusMaster();
      var registers = device.region(0).registers();
      var migration = device.features().migration();
      migration.enter(MigrationState.RUNNING_P2P);
      assertThat(writes(registers, memory.iova(), 16)).isTrue();
      migration.enter(MigrationState.STOP);
      assertThat(writes(registers, memory.iova(), 16)).isFalse();
      migration.enter(MigrationState.RUNNING);
      assertThat(writes(registers, memory.iova(), 16)).isTrue();
    }
  }

  /** Has the engine write memory; whether it could. */
  private static boolean writes(Registers registers, long iova, long byteSize) {
    registers.write64(CopyEngine.IOVA, iova);
    registers.write64(CopyEngine.LENGTH, byteSize);
    registers.write64(CopyEngine.COMMAND, CopyEngine.WRITE_MEMORY);
    return registers.read64(CopyEngine.STATUS) == 0;
  }

  @Test
  void aDeviceThatIsGivenNonsenseFailsAndAResetMendsIt() throws IOException {
    try (var machine = new Machine(migratable(true, true));
        var device = machine.open()) {
      var migration = device.features().migration();
      var good = (MigrationSource) migration.enter(MigrationState.STOP_COPY).orElseThrow();
      var stream = readAll(good);
      migration.enter(MigrationState.RUNNING);
      for (int length = 0; length < stream.length; length += 1 + length / 4) {
        var sink = (MigrationSink) migration.enter(MigrationState.RESUMING).orElseThrow();
        sink.write(ByteBuffer.wrap(stream, 0, length));
        assertThatExceptionOfType(VfioException.class)
            .as("%d bytes", length)
            .isThrownBy(() -> migration.enter(MigrationState.RUNNING))
            .withMessageContainingAll("EINVAL", "in state ERROR", "only a reset leaves");
        assertThat(migration.state()).isEqualTo(MigrationState.ERROR);
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> migration.enter(MigrationState.STOP));
        device.reset();
        assertThat(migration.state()).isEqualTo(MigrationState.RUNNING);
      }
    }
  }

  @Test
  void statesThatCannotBeReachedAreRefused() {
    try (var machine = new Machine(migratable(false, true));
        var device = machine.open()) {
      var migration = device.features().migration();
      for (var state : List.of(MigrationState.RUNNING_P2P, MigrationState.PRE_COPY_P2P)) {
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> migration.enter(state))
            .withMessageContainingAll("to " + state, "EINVAL", "in state RUNNING");
      }
      migration.enter(MigrationState.STOP_COPY);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> migration.enter(MigrationState.PRE_COPY))
          .withMessageContaining("in state STOP_COPY");
      assertThatIllegalArgumentException().isThrownBy(() -> migration.enter(MigrationState.ERROR));
    }
  }

  @Test
  void closedStreamsSayThatTheyAreClosed() throws IOException {
    try (var machine = new Machine(migratable(false, false));
        var device = machine.open()) {
      var migration = device.features().migration();
      var source = (MigrationSource) migration.enter(MigrationState.STOP_COPY).orElseThrow();
      assertThat(source.read(ByteBuffer.allocate(0))).isZero();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(source::precopyInfo)
          .withMessageContaining("EINVAL");
      source.close();
      source.close();
      assertThat(source.isOpen()).isFalse();
      assertThatExceptionOfType(ClosedChannelException.class)
          .isThrownBy(() -> source.read(ByteBuffer.allocate(1)));
      var sink = (MigrationSink) migration.enter(MigrationState.RESUMING).orElseThrow();
      sink.close();
      assertThat(sink.isOpen()).isFalse();
      assertThatExceptionOfType(ClosedChannelException.class)
          .isThrownBy(() -> sink.write(ByteBuffer.allocate(1)));
    }
  }

  @Test
  void theLogHasThePagesThatTheDeviceWrote() {
    try (var machine = new Machine(migratable(false, false));
        var device = machine.open();
        var memory = device.dmaSpace().allocate(64 << 12);
        var arena = Arena.ofConfined()) {
      device.enableBusMaster();
      var registers = device.region(0).registers();
      var bitmap = arena.allocate(8, 8);
      try (var log = device.features().startDmaLogging(4096, List.of(DmaRange.of(memory)))) {
        assertThat(log.pageSize()).isEqualTo(4096);
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> device.features().startDmaLogging(4096, List.of(DmaRange.of(memory))))
            .withMessageContainingAll("EINVAL", "running already");
        assertThat(writes(registers, memory.iova() + 4095, 2)).isTrue();
        assertThat(writes(registers, memory.iova() + (63 << 12), 1)).isTrue();
        log.read(memory, bitmap);
        assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(1L << 63 | 3);
        log.read(memory, bitmap);
        assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).as("read once").isZero();
        assertThat(writes(registers, memory.iova() + (5 << 12), 4096)).isTrue();
        log.read(new DmaRange(memory.iova() + (4 << 12), 4 << 12), bitmap);
        assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(2);
        assertThatIllegalArgumentException()
            .isThrownBy(() -> log.read(memory, bitmap.asSlice(0, 4)));
      }
      try (var log = device.features().startDmaLogging(2048, List.of(DmaRange.of(memory)))) {
        assertThat(log.pageSize()).as("the device has no smaller pages").isEqualTo(4096);
        device.reset();
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(() -> log.read(memory, bitmap))
            .withMessageContaining("reset");
      }
    }
  }

  @Test
  void rangesOfALogAreCheckedBeforeTheKernelIsAsked() {
    try (var machine = new Machine(migratable(false, false));
        var device = machine.open()) {
      var features = device.features();
      int asked = machine.injector.calls().size();
      var many = new ArrayList<DmaRange>();
      for (int i = 0; i <= 256; i++) {
        many.add(new DmaRange(i * 8192L, 4096));
      }
      for (var ranges :
          List.of(
              List.<DmaRange>of(),
              List.of(new DmaRange(1, 4096)),
              List.of(new DmaRange(0, 100)),
              List.of(new DmaRange(4096, 8192), new DmaRange(0, 8192)),
              many)) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> features.startDmaLogging(4096, ranges));
      }
      assertThatIllegalArgumentException()
          .isThrownBy(() -> features.startDmaLogging(3000, List.of(new DmaRange(0, 3000))));
      assertThatIllegalArgumentException().isThrownBy(() -> new DmaRange(-1, 2));
      assertThat(machine.injector.calls()).hasSize(asked);
      features.startDmaLogging(4096, many.subList(0, 256)).close();
    }
  }

  /** Every call of a migration and of a log fails with each errno that the kernel could give. */
  @Test
  void whateverCallFailsIsToldAndNothingIsLeft() {
    var plausible =
        List.of(
            Errno.EINVAL,
            Errno.ENODEV,
            Errno.EIO,
            Errno.ENOMEM,
            Errno.EFAULT,
            Errno.EBUSY,
            Errno.EMFILE,
            Errno.ENOTTY,
            Errno.EOPNOTSUPP);
    int calls = migrate(-1, Errno.EIO);
    assertThat(calls).isGreaterThan(15);
    for (int call = 0; call < calls; call++) {
      for (var errno : plausible) {
        migrate(call, errno);
      }
    }
  }

  /** Migrates a device onto itself, and logs its writes; returns how many calls that takes. */
  private static int migrate(int failing, Errno errno) {
    try (var machine = new Machine(migratable(true, true))) {
      int made;
      try (var device = machine.open()) {
        int from = machine.injector.calls().size();
        if (failing >= 0) {
          machine.injector.failCall(from + failing, errno);
        }
        try {
          migrate(device);
        } catch (VfioException e) {
          assertThat(e.getMessage()).contains(e.operation()).endsWith(".");
        } catch (IOException e) {
          assertThat(e).hasCauseInstanceOf(VfioException.class);
        }
        made = machine.injector.calls().size() - from;
        machine.injector.failNone();
      }
      return made;
    }
  }

  private static void migrate(VfioDevice device) throws IOException {
    var features = device.features();
    var migration = features.migration();
    try (var _ = features.startDmaLogging(4096, List.of(new DmaRange(0, 4096)));
        var source = (MigrationSource) migration.enter(MigrationState.PRE_COPY).orElseThrow()) {
      source.precopyInfo();
      migration.stopCopyBytes();
      migration.enter(MigrationState.STOP_COPY);
      var stream = readAll(source);
      migration.enter(MigrationState.STOP);
      try (var sink = (MigrationSink) migration.enter(MigrationState.RESUMING).orElseThrow()) {
        sink.write(ByteBuffer.wrap(stream));
      }
      migration.enter(MigrationState.RUNNING);
      assertThat(migration.state()).isEqualTo(MigrationState.RUNNING);
    }
  }

  @Test
  void driversThatKnowNoMigrationOfTheirModelAreAMistakeOfTheTest() {
    try (var simulated =
        SimulatedHosts.open(HOST, OpenSpace.unlimited().withMigration(DEVICE, true, true))) {
      var host = VfioHost.of("sim", simulated.kernel());
      assertThat(host.device(ADDRESS).driver()).contains("sim-vfio-pci");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> host.open(ADDRESS))
          .withMessageContaining("MigratableModel");
    }
  }

  @Test
  void aBitmapIsOverwrittenAndNotAddedTo() {
    try (var machine = new Machine(migratable(false, false));
        var device = machine.open();
        var memory = device.dmaSpace().allocate(4096);
        var arena = Arena.ofConfined();
        var log = device.features().startDmaLogging(4096, List.of(DmaRange.of(memory)))) {
      MemorySegment bitmap = arena.allocate(8, 8).fill((byte) -1);
      log.read(memory, bitmap);
      assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).isZero();
    }
  }
}
