// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS_ENABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS_INTERRUPT;

import io.jvfio.model.ConfigSpace;
import io.jvfio.model.InterruptPort;
import org.jspecify.annotations.Nullable;

/**
 * The controller's interrupts: a message for each vector, and the line that all vectors share as
 * long as MSI-X is off. Source: NVM Express over PCIe Transport Specification, "Interrupts".
 */
final class NvmeInterrupts {

  private final ConfigSpace config;
  private @Nullable InterruptPort port;
  private boolean isAsserted;

  NvmeInterrupts(ConfigSpace config) {
    this.config = config;
  }

  void connect(InterruptPort interrupts) {
    port = interrupts;
  }

  /** Whether software has left MSI-X off, so that the line tells of completions. */
  boolean usesLine() {
    return (config.read(NvmeModel.MSIX + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_ENABLE) == 0;
  }

  /** Completions were posted to a queue of this vector. */
  void signal(int vector) {
    if (port != null) {
      port.signal(vector);
    }
  }

  /** Sets the level of the line; the host is told of changes only. */
  void line(boolean asserted) {
    if (asserted == isAsserted) {
      return;
    }
    isAsserted = asserted;
    int status = config.read(PCI_STATUS, 2);
    config.set(
        PCI_STATUS, 2, asserted ? status | PCI_STATUS_INTERRUPT : status & ~PCI_STATUS_INTERRUPT);
    if (port != null) {
      port.line(asserted);
    }
  }
}
