// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import module io.jvfio.user;

import io.jvfio.linux.Registers;
import java.nio.file.Path;
import java.time.Duration;

/**
 * {@code FirstDriver ADDRESS|unix:PATH}: drives QEMU's educational device by its registers, an
 * interrupt and DMA. Source of what the registers do: QEMU's documentation, "EDU device".
 */
final class FirstDriver {
  private static final Duration LONG = Duration.ofSeconds(10);
  private static final int FACTORIAL = 0x08;
  private static final int STATUS = 0x20;
  private static final int INTERRUPT_WHEN_COMPUTED = 0x80;
  private static final int INTERRUPT_CAUSES = 0x24;
  private static final int ACKNOWLEDGE = 0x64;
  private static final int DMA_SOURCE = 0x80;
  private static final int DMA_TARGET = 0x88;
  private static final int DMA_COUNT = 0x90;
  private static final int DMA_COMMAND = 0x98;
  private static final int START = 1;
  private static final int TO_MEMORY = 2;
  private static final int INTERRUPT_WHEN_COPIED = 4;
  private static final long BUFFER = 0x40000;
  private static final int DMA_BITS = 28;

  static void main(String[] arguments) {
    var name = arguments[0];
    try (VfioDevice device =
        name.startsWith(VfioUser.SCHEME)
            ? VfioUser.open(Path.of(name.substring(VfioUser.SCHEME.length())))
            : VfioHost.local().open(PciAddress.parse(name))) {
      drive(device);
    }
  }

  static void drive(VfioDevice device) {
    try (var registers = device.region(0).registers();
        var _ = PciDevice.of(device).startBusMastering();
        var vectors = device.interrupts().enableMsi(1)) {
      var interrupt = vectors.vector(0);
      System.out.printf("%s says 0x%08x%n", device.name(), registers.read32(0));

      registers.write32(STATUS, INTERRUPT_WHEN_COMPUTED);
      registers.write32(FACTORIAL, 10);
      acknowledge(registers, interrupt);
      System.out.println("10! = " + registers.read32(FACTORIAL));

      var low = BufferOptions.anonymous().mapped(MapOptions.anywhere().withAddressBits(DMA_BITS));
      try (var memory = device.dmaSpace().allocate(4096, low)) {
        memory.segment().setString(0, "There and back again", UTF_8);
        copy(registers, interrupt, memory.iova(), BUFFER, 0);
        copy(registers, interrupt, BUFFER, memory.iova() + 2048, TO_MEMORY);
        System.out.println(memory.segment().getString(2048, UTF_8));
      }
    }
  }

  private static void copy(
      Registers registers, Interrupt interrupt, long source, long target, int direction) {
    registers.write64(DMA_SOURCE, source);
    registers.write64(DMA_TARGET, target);
    registers.write64(DMA_COUNT, 1024);
    registers.write32(DMA_COMMAND, START | direction | INTERRUPT_WHEN_COPIED);
    acknowledge(registers, interrupt);
  }

  private static void acknowledge(Registers registers, Interrupt interrupt) {
    if (interrupt.await(LONG) == 0) {
      throw new IllegalStateException("no interrupt within " + LONG);
    }
    registers.write32(ACKNOWLEDGE, registers.read32(INTERRUPT_CAUSES));
  }
}
