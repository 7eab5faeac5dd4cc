package io.jvfio.nvme;

import io.jvfio.linux.Registers;

/** A doorbell register. Source: NVM Express over PCIe Transport Specification, "Doorbells". */
final class Doorbell {
  private final Registers registers;
  private final long offset;

  Doorbell(Registers registers, long offset) {
    this.registers = registers;
    this.offset = offset;
  }

  /** Writes the doorbell, after all that this thread did before. */
  void ring(int value) {
    registers.write32Release(offset, value);
  }
}
