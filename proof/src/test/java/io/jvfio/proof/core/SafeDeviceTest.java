// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.jvfio.EehEndpoint;
import io.jvfio.PciAddress;
import io.jvfio.PciBar;
import io.jvfio.PciCapability;
import io.jvfio.PciDevice;
import io.jvfio.PciIdentity;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the library's user meets when a device sleeps, is pulled out, or is stopped. */
class SafeDeviceTest {
  private static final String ADDRESS = "0000:01:00.0";
  private static final String PC_ADDRESS = "0000:00:01.0";
  private static final int VERSION = 8;
  private static final int VERSION_VALUE = 0x10400;
  private static final int COMMAND = 4;
  private static final int POWER_CONTROL = 0x64;

  private SimulatedHost host = SimulatedHosts.open("x86-6.12");
  private VfioDevice device = open(PC_ADDRESS);

  private VfioDevice open(String address) {
    return VfioHost.of(host.name(), host.kernel()).open(PciAddress.parse(address));
  }

  private void start(String name, String address) {
    device.close();
    host.close();
    host = SimulatedHosts.open(name, HostOptions.defaults().withLockedMemoryLimit(Kernel.NO_LIMIT));
    device = open(address);
  }

  @AfterEach
  void close() {
    device.close();
    host.close();
  }

  private static void assertUnanswered(Registers registers, String reason) {
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> registers.read32(VERSION))
        .withMessageContaining("BAR0")
        .withMessageContaining(reason);
  }

  @Test
  void aDeviceThatSleepsSaysSoInBothWays() {
    try (var registers = device.region(0).registers();
        var arena = Arena.ofConfined()) {
      var value = arena.allocate(4);
      device.config().write16(POWER_CONTROL, 3);
      assertUnanswered(registers, "asleep (D3hot)");
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.region(0).read(VERSION, value))
          .withMessageContaining("asleep (D3hot)")
          .withMessageContaining("EIO");
      device.config().write16(POWER_CONTROL, 0);
      assertThat(registers.read32(VERSION)).isEqualTo(VERSION_VALUE);
    }
  }

  @Test
  void aDeviceThatDecodesNothingSaysSo() {
    try (var registers = device.region(0).registers()) {
      device.config().write16(COMMAND, 0);
      assertUnanswered(registers, "decodes no memory");
      device.enableBusMaster();
      assertThat(registers.read32(VERSION)).isEqualTo(VERSION_VALUE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "x86-6.12-iommufd", "arm64-6.12"})
  void aDeviceThatIsPulledSaysSoAndCanBeClosed(String name) throws Exception {
    start(name, PC_ADDRESS);
    var pci = PciDevice.of(device);
    try (var registers = device.region(0).registers()) {
      assertThat(pci.isPresent()).isTrue();
      var removed = host.remove(PC_ADDRESS);
      assertThat(pci.isPresent()).isFalse();
      assertUnanswered(registers, "it is gone");
      device.close();
      removed.get(60, TimeUnit.SECONDS);
    }
    assertThat(host.resources().openFiles()).isZero();
    assertThat(host.resources().drivers()).doesNotContainKey(PC_ADDRESS);
  }

  @Test
  void registersThatCannotBeMappedSayItToo() {
    start("powernv-6.12", ADDRESS);
    try (var registers = device.region(0).registers()) {
      assertThat(device.region(0).mappableAreas()).isNotEmpty();
      assertThat(host.remove(ADDRESS)).isNotDone();
      assertUnanswered(registers, "it is gone");
    }
  }

  @Test
  void theUserIsAskedForADeviceThatIsUnbound() throws Exception {
    var request = device.interrupts().releaseRequest();
    var unbound = host.unbind(PC_ADDRESS);
    assertThat(request.await(Duration.ofSeconds(60))).isEqualTo(1);
    assertThat(unbound).isNotDone();
    assertThat(PciDevice.of(device).isPresent()).isTrue();
    device.close();
    unbound.get(60, TimeUnit.SECONDS);
  }

  @Test
  void theUserIsToldOfAnErrorOfTheDevice() {
    var error = device.interrupts().deviceError();
    host.reportError(PC_ADDRESS);
    assertThat(error.await(Duration.ofSeconds(60))).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource
  void registersHaveTheirValuesInEveryOrder(RegisterOrder order) {
    try (var registers = device.region(0).registers(order);
        var mapped = device.region(0).map(device.region(0).mappableAreas().getFirst(), order);
        var arena = Arena.ofConfined()) {
      assertThat(registers.read32(VERSION)).isEqualTo(VERSION_VALUE);
      assertThat(mapped.read32(VERSION)).isEqualTo(VERSION_VALUE);
      var memory = arena.allocate(8, 4);
      mapped.copyTo(VERSION, memory, 4);
      assertThat(memory.get(ValueLayout.JAVA_INT, 0)).isEqualTo(VERSION_VALUE);
    }
  }

  @Test
  void theDeviceAsPciDescribesIt() {
    var pci = PciDevice.of(device);
    assertThat(pci.device()).isSameAs(device);
    assertThat(pci.identity())
        .isEqualTo(new PciIdentity(0x1b36, 0x0010, 0x1af4, 0x1100, 0x010802, 2))
        .hasToString("1b36:0010 rev 02");
    assertThat(pci.bars()).containsExactly(new PciBar(0, false, true, false, 0x4000));
    assertThat(pci.bar(0)).isSameAs(device.region(0));
    for (int index : new int[] {-1, 1, 6, 7}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> pci.bar(index))
          .withMessage(PC_ADDRESS + " has no BAR" + index);
    }
    assertThat(pci.capability(PciCapability.MsiX.class).orElseThrow().vectors()).isEqualTo(65);
    assertThat(pci.capability(PciCapability.Msi.class)).isEmpty();
    assertThat(pci.capabilities()).isEqualTo(PciCapability.of(pci.config()));
  }

  @Test
  void busMasteringEndsWhenItIsClosed() {
    var mastering = PciDevice.of(device).startBusMastering();
    assertThat(device.config().read16(COMMAND) & 6).isEqualTo(6);
    mastering.close();
    assertThat(device.config().read16(COMMAND) & 6).isEqualTo(2);
    device.enableBusMaster();
    mastering.close();
    assertThat(device.config().read16(COMMAND) & 6).isEqualTo(6);
    var other = PciDevice.of(device).startBusMastering();
    device.close();
    other.close();
  }

  @Test
  void aDeviceThatEehHasStoppedIsRecovered() {
    start("powernv-6.12", ADDRESS);
    var endpoint = device.eeh().orElseThrow();
    assertThat(endpoint.isStopped()).isFalse();
    assertThat(endpoint.recover().steps()).isEmpty();
    device.enableBusMaster();
    device.config().write16(0x88, 0x000f);
    int command = device.config().read16(COMMAND);
    try (var registers = device.region(0).registers()) {
      endpoint.injectError(false, 0, 0, 0);
      assertUnanswered(registers, "EEH has cut the device off");
      assertThat(endpoint.isStopped()).isTrue();
      var recovery = endpoint.recover();
      assertThat(recovery.before()).isEqualTo(EehEndpoint.State.STOPPED);
      assertThat(recovery.after()).isEqualTo(EehEndpoint.State.NORMAL);
      assertThat(recovery.isWorking()).isTrue();
      assertThat(recovery.errors()).isEmpty();
      assertThat(recovery.steps())
          .isEqualTo(
              List.of(
                  "let register access through",
                  "read the log of errors: empty",
                  "saved the configuration",
                  "began a hot reset",
                  "ended the reset",
                  "configured the bridges",
                  "wrote the configuration back"));
      assertThat(registers.read32(VERSION)).isEqualTo(VERSION_VALUE);
      assertThat(device.config().read16(COMMAND)).isEqualTo(command);
    }
  }

  @Test
  void anEndpointThatIsNotAvailableIsNotReset() {
    start("powernv-6.12", ADDRESS);
    var endpoint = device.eeh().orElseThrow();
    try (var registers = device.region(0).registers()) {
      endpoint.injectError(false, 0, 0, 0);
      assertUnanswered(registers, "EEH has cut the device off");
      endpoint.unfreezeDma();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(endpoint::recover)
          .withMessageContaining("not available");
      endpoint.unfreezeRegisters();
    }
  }
}
