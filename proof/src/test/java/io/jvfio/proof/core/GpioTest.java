// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.PciAddress;
import io.jvfio.PciBar;
import io.jvfio.PciDevice;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import io.jvfio.model.gpio.GpioModel;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A driver of the PCI-IDIO-16, at work on a simulated host. */
@Timeout(120)
class GpioTest {
  private static final String ADDRESS = "0000:00:01.0";
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final int OUTPUTS_LOW = 0;
  private static final int INPUTS_LOW = 1;
  private static final int CLEAR = 1;
  private static final int INTERRUPT = 2;
  private static final int OUTPUTS_HIGH = 4;
  private static final int INPUTS_HIGH = 5;
  private static final int INTERRUPT_STATUS = 6;

  private final GpioModel gpio = new GpioModel();
  private final SimulatedHost host =
      SimulatedHosts.open(
          "x86-6.12",
          HostOptions.defaults()
              .withLockedMemoryLimit(Kernel.NO_LIMIT)
              .withModels(address -> address.equals(ADDRESS) ? gpio : null));

  private final VfioDevice device =
      VfioHost.of(host.name(), host.kernel()).open(PciAddress.parse(ADDRESS));

  private final Registers ports = device.region(2).registers();

  @AfterEach
  void close() {
    ports.close();
    device.close();
    host.close();
  }

  @Test
  void hasPortsThatCannotBeMapped() {
    assertThat(PciDevice.of(device).bars()).containsExactly(new PciBar(2, true, false, false, 8));
    assertThat(device.region(2).mappableAreas()).isEmpty();
    device.config().write32(0x18, -1);
    assertThat(device.config().read32(0x18)).as("its size").isEqualTo(-7);
  }

  @Test
  void driverSetsLinesAndJavaSeesThem() {
    List<String> heard = new ArrayList<>();
    gpio.onOutput((line, value) -> heard.add(line + "=" + value));

    ports.write8(OUTPUTS_LOW, (byte) 0x08);
    ports.write8(OUTPUTS_HIGH, (byte) 0x80);
    ports.write8(OUTPUTS_LOW, (byte) 0);
    assertThat(heard).containsExactly("3=true", "15=true", "3=false");
    assertThat(ports.read8(OUTPUTS_HIGH)).isEqualTo((byte) 0x80);
    assertThat(gpio.output(15)).isTrue();
  }

  @Test
  void javaSetsALineAndTheDriverIsInterrupted() {
    try (var line = device.interrupts().enableIntx()) {
      ports.read8(INTERRUPT);
      gpio.setInput(9, true);
      assertThat(line.await(LONG)).isEqualTo(1);
      assertThat(ports.read8(INTERRUPT_STATUS)).isEqualTo((byte) 0x6);
      assertThat(ports.read8(INPUTS_HIGH)).isEqualTo((byte) 0x2);
      ports.write8(CLEAR, (byte) 0);
      line.unmask();
      assertThat(line.poll()).isZero();

      gpio.setInput(9, false);
      gpio.setInput(0, true);
      assertThat(line.await(LONG)).isEqualTo(1);
      assertThat(ports.read8(INPUTS_LOW)).isEqualTo((byte) 1);
    }
  }

  @Test
  void severalPortsAreReadAtOnce() {
    try (var arena = Arena.ofConfined()) {
      var bytes = arena.allocate(8);
      gpio.setInput(0, true);
      gpio.setInput(8, true);
      ports.write8(OUTPUTS_HIGH, (byte) 0x7f);
      device.region(2).read(0, bytes);
      assertThat(bytes.toArray(ValueLayout.JAVA_BYTE))
          .containsExactly(0, 1, 0, 0, 0x7f, 1, 0, (byte) 0xff);
    }
  }

  @Test
  void nobodyAnswersWhilePortsAreOff() {
    gpio.setInput(0, true);
    device.config().write16(4, device.config().read16(4) & ~1);
    assertThat(ports.read8(INPUTS_LOW)).isEqualTo((byte) -1);
    ports.write8(OUTPUTS_LOW, (byte) 1);
    assertThat(gpio.output(0)).isFalse();
    device.config().write16(4, device.config().read16(4) | 1);
    assertThat(ports.read8(INPUTS_LOW)).isEqualTo((byte) 1);
  }

  @Test
  void outputsStayAsTheyAreWithoutAReset() {
    ports.write8(OUTPUTS_LOW, (byte) 1);
    assertThat(device.canReset()).as("the card has no function reset").isFalse();
    device.close();
    assertThat(gpio.output(0)).isTrue();
  }
}
