// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.linux.Registers;

/** A doorbell register. Source: NVM Express over PCIe Transport Specification, "Doorbells". */
class Doorbell {
  private final Registers registers;
  private final long offset;

  Doorbell(Registers registers, long offset) {
    this.registers = registers;
    this.offset = offset;
  }

  /** The same register. */
  Doorbell(Doorbell register) {
    this(register.registers, register.offset);
  }

  /** Tells the controller of a new tail or head, after all that this thread did before. */
  void ring(int value) {
    registers.write32Release(offset, value);
  }

  /** The queue was deleted at the controller: its next value is told as the first. */
  void restart() {}
}
