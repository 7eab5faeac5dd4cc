// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.BufferOptions;
import io.jvfio.DmaBuffer;
import io.jvfio.Interrupt;
import io.jvfio.MapOptions;
import io.jvfio.PciAddress;
import io.jvfio.PciBar;
import io.jvfio.PciDevice;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import io.jvfio.model.edu.EduModel;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A driver of QEMU's educational device, at work on a simulated host. */
@Timeout(120)
class EduTest {
  private static final String ADDRESS = "0000:00:01.0";
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final int FACTORIAL = 0x08;
  private static final int STATUS = 0x20;
  private static final int INTERRUPT_STATUS = 0x24;
  private static final int ACKNOWLEDGE = 0x64;
  private static final int DMA_SOURCE = 0x80;
  private static final int DMA_TARGET = 0x88;
  private static final int DMA_COUNT = 0x90;
  private static final int DMA_COMMAND = 0x98;
  private static final long BUFFER = 0x40000;
  private static final int SIZE = 4096;

  private final SimulatedHost host =
      SimulatedHosts.open(
          "x86-6.12",
          HostOptions.defaults()
              .withLockedMemoryLimit(Kernel.NO_LIMIT)
              .withModels(address -> address.equals(ADDRESS) ? new EduModel() : null));

  private final VfioDevice device =
      VfioHost.of(host.name(), host.kernel()).open(PciAddress.parse(ADDRESS));

  private final Registers registers = device.region(0).registers();

  EduTest() {
    device.enableBusMaster();
  }

  @AfterEach
  void close() {
    registers.close();
    device.close();
    host.close();
  }

  @Test
  void isFoundByWhatItSaysOfItself() {
    var pci = PciDevice.of(device);

    assertThat(pci.identity().vendor()).isEqualTo(0x1234);
    assertThat(pci.identity().device()).isEqualTo(0x11e8);
    assertThat(pci.bars()).containsExactly(new PciBar(0, false, false, false, 1 << 20));
    assertThat(registers.read32(0)).isEqualTo(0x010000ed);
    registers.write32(4, 0x0f0f_0f0f);
    assertThat(registers.read32(4)).isEqualTo(0xf0f0_f0f0);
    assertThat(registers.read64(0)).as("no access of that width").isEqualTo(-1);
  }

  private int factorial(Interrupt interrupt, int n) {
    registers.write32(STATUS, 0x80);
    registers.write32(FACTORIAL, n);
    assertThat(interrupt.await(LONG)).isEqualTo(1);
    assertThat(registers.read32(STATUS) & 1).as("computing").isZero();
    assertThat(registers.read32(INTERRUPT_STATUS)).isEqualTo(1);
    registers.write32(ACKNOWLEDGE, 1);
    return registers.read32(FACTORIAL);
  }

  @Test
  void computesAFactorialAndSendsAMessage() {
    try (var vectors = device.interrupts().enableMsi(1)) {
      assertThat(factorial(vectors.vector(0), 10)).isEqualTo(3_628_800);
      assertThat(factorial(vectors.vector(0), 5)).isEqualTo(120);
    }
  }

  @Test
  void computesAFactorialAndRaisesItsLine() {
    try (var line = device.interrupts().enableIntx()) {
      assertThat(factorial(line, 6)).isEqualTo(720);
      line.unmask();
      assertThat(factorial(line, 7)).isEqualTo(5040);
      assertThat(line.poll()).as("the line went down").isZero();
    }
  }

  private void copy(Interrupt interrupt, long source, long target, int direction) {
    registers.write64(DMA_SOURCE, source);
    registers.write64(DMA_TARGET, target);
    registers.write64(DMA_COUNT, SIZE);
    registers.write32(DMA_COMMAND, 1 | direction | 4);
    assertThat(interrupt.await(LONG)).isEqualTo(1);
    assertThat(registers.read32(DMA_COMMAND) & 1).as("copying").isZero();
    assertThat(registers.read32(INTERRUPT_STATUS)).isEqualTo(0x100);
    registers.write32(ACKNOWLEDGE, 0x100);
  }

  private DmaBuffer allocate(MapOptions options) {
    return device.dmaSpace().allocate(2 * SIZE, BufferOptions.anonymous().mapped(options));
  }

  @Test
  void copiesMemoryToItselfAndBack() {
    try (var vectors = device.interrupts().enableMsi(1);
        var memory = allocate(MapOptions.anywhere().withAddressBits(EduModel.DMA_BITS))) {
      for (int i = 0; i < SIZE; i++) {
        memory.segment().set(ValueLayout.JAVA_BYTE, i, (byte) (i * 7 + i / 256));
      }
      copy(vectors.vector(0), memory.iova(), BUFFER, 0);
      copy(vectors.vector(0), BUFFER, memory.iova() + SIZE, 2);
      assertThat(memory.segment().asSlice(SIZE).mismatch(memory.segment().asSlice(0, SIZE)))
          .isEqualTo(-1);
      assertThat(host.faults()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1L << 28, 1L << 32})
  void doesNotReachMemoryBeyondItsAddresses(long iova) {
    try (var vectors = device.interrupts().enableMsi(1);
        var memory = allocate(MapOptions.at(iova))) {
      memory.segment().copyFrom(MemorySegment.ofArray("text".getBytes(StandardCharsets.US_ASCII)));
      copy(vectors.vector(0), memory.iova(), BUFFER, 0);
      assertThat(host.faults())
          .singleElement()
          .satisfies(fault -> assertThat(fault.iova()).isEqualTo(iova & (1 << 28) - 1));
    }
  }
}
