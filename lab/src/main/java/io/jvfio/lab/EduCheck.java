// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.BufferOptions;
import io.jvfio.DmaBuffer;
import io.jvfio.Interrupt;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.MapOptions;
import io.jvfio.PciAddress;
import io.jvfio.PciDevice;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.linux.Registers;
import io.jvfio.model.edu.EduModel;
import java.io.PrintStream;
import java.lang.foreign.ValueLayout;
import java.time.Duration;

/**
 * {@code EduCheck TYPE ADDRESS}: drives an EDU device through a type of IOMMU: what it says of
 * itself, factorials and copies of memory into the device and back, each with an interrupt by
 * message, and then by line. Prints a figure of each; exit status 0 when all are as they should be.
 */
public final class EduCheck {
  private static final int IDENTIFICATION = 0x00;
  private static final int LIVENESS = 0x04;
  private static final int FACTORIAL = 0x08;
  private static final int STATUS = 0x20;
  private static final int INTERRUPT_STATUS = 0x24;
  private static final int ACKNOWLEDGE = 0x64;
  private static final int DMA_SOURCE = 0x80;
  private static final int DMA_TARGET = 0x88;
  private static final int DMA_COUNT = 0x90;
  private static final int DMA_COMMAND = 0x98;
  private static final long BUFFER = 0x40000;
  private static final int BUFFER_BYTES = 4096;
  private static final int COMPUTED = 0x001;
  private static final int COPIED = 0x100;
  private static final int ON_COMPUTED = 0x80;
  private static final int COPY = 0x1;
  private static final int TO_MEMORY = 0x2;
  private static final int ON_COPIED = 0x4;

  /** The largest whose result has 32 bits. */
  private static final int LARGEST_FACTORIAL = 12;

  /** How often each is done. */
  static final int ROUNDS = 100;

  private static final Duration LONGEST = Duration.ofSeconds(60);

  private final VfioDevice device;
  private final Registers registers;
  private final PrintStream out;
  private int wrong;

  private EduCheck(VfioDevice device, Registers registers, PrintStream out) {
    this.device = device;
    this.registers = registers;
    this.out = out;
  }

  /** The program. */
  public static void main(String[] arguments) {
    if (arguments.length != 2) {
      System.err.println("usage: EduCheck TYPE ADDRESS");
      System.exit(2);
    }
    var policy = IommuPolicy.require(IommuType.of(arguments[0]));
    try (var device = VfioHost.local().open(PciAddress.parse(arguments[1]), policy)) {
      System.exit(check(device, System.out) ? 0 : 1);
    }
  }

  /** Prints the figures; true when all are as they should be. */
  static boolean check(VfioDevice device, PrintStream out) {
    try (var registers = device.region(0).registers();
        var _ = PciDevice.of(device).startBusMastering()) {
      var check = new EduCheck(device, registers, out);
      check.identity();
      try (var vectors = device.interrupts().enableMsi(1)) {
        check.use("message", vectors.vector(0), () -> {});
      }
      try (var line = device.interrupts().enableIntx()) {
        check.use("line", line, line::unmask);
      }
      return check.wrong == 0;
    }
  }

  private void say(String name, Object value, boolean right) {
    out.println(name + " " + value + (right ? "" : " WRONG"));
    if (!right) {
      wrong++;
    }
  }

  private void identity() {
    var identity = PciDevice.of(device).identity();
    out.println("device " + device.name());
    out.println("iommu " + device.dmaSpace().type());
    say(
        "identity",
        "%04x:%04x".formatted(identity.vendor(), identity.device()),
        identity.vendor() == 0x1234 && identity.device() == 0x11e8);
    int identification = registers.read32(IDENTIFICATION);
    say("identification", "%08x".formatted(identification), identification == 0x010000ed);
    registers.write32(LIVENESS, 0x12345678);
    int liveness = registers.read32(LIVENESS);
    say("liveness", "%08x".formatted(liveness), liveness == ~0x12345678);
  }

  private void use(String way, Interrupt interrupt, Runnable again) {
    factorials(way, interrupt, again);
    copies(way, interrupt, again);
  }

  private void factorials(String way, Interrupt interrupt, Runnable again) {
    int right = 0;
    long interrupts = 0;
    registers.write32(STATUS, ON_COMPUTED);
    for (int round = 0; round < ROUNDS; round++) {
      int n = round % (LARGEST_FACTORIAL + 1);
      registers.write32(FACTORIAL, n);
      interrupts += interrupt.await(LONGEST);
      int causes = registers.read32(INTERRUPT_STATUS);
      registers.write32(ACKNOWLEDGE, causes);
      again.run();
      if (causes == COMPUTED && registers.read32(FACTORIAL) == factorial(n)) {
        right++;
      }
    }
    registers.write32(STATUS, 0);
    say("factorials-by-" + way, right, right == ROUNDS);
    say("interrupts-by-" + way, interrupts, interrupts == ROUNDS);
  }

  private static int factorial(int n) {
    int product = 1;
    for (int i = 2; i <= n; i++) {
      product *= i;
    }
    return product;
  }

  private DmaBuffer page() {
    var options = MapOptions.anywhere().withAddressBits(EduModel.DMA_BITS);
    return device.dmaSpace().allocate(BUFFER_BYTES, BufferOptions.anonymous().mapped(options));
  }

  private void copies(String way, Interrupt interrupt, Runnable again) {
    int right = 0;
    try (var from = page();
        var to = page()) {
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BUFFER_BYTES; i += Long.BYTES) {
          from.segment().set(ValueLayout.JAVA_LONG, i, (round + 1) * 0x9e3779b97f4a7c15L * (i + 1));
        }
        to.segment().fill((byte) 0);
        copy(interrupt, again, from.iova(), BUFFER, 0);
        copy(interrupt, again, BUFFER, to.iova(), TO_MEMORY);
        if (from.segment().mismatch(to.segment()) < 0) {
          right++;
        }
      }
      out.println("copied-at 0x%x 0x%x".formatted(from.iova(), to.iova()));
    }
    say("copies-by-" + way, right, right == ROUNDS);
  }

  private void copy(Interrupt interrupt, Runnable again, long source, long target, int direction) {
    registers.write64(DMA_SOURCE, source);
    registers.write64(DMA_TARGET, target);
    registers.write64(DMA_COUNT, BUFFER_BYTES);
    registers.write32(DMA_COMMAND, COPY | direction | ON_COPIED);
    interrupt.await(LONGEST);
    int causes = registers.read32(INTERRUPT_STATUS);
    registers.write32(ACKNOWLEDGE, causes);
    again.run();
    if (causes != COPIED) {
      say("causes", "0x%x after a copy".formatted(causes), false);
    }
  }
}
