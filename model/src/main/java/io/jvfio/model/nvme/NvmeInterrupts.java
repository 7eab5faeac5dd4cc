// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_MSI;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS_ENABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_ADDRESS_HI;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_ADDRESS_LO;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_DATA_64;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_FLAGS;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_FLAGS_64BIT;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_FLAGS_ENABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_FLAGS_QSIZE;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS_INTERRUPT;

import io.jvfio.model.ConfigSpace;
import io.jvfio.model.InterruptPort;
import org.jspecify.annotations.Nullable;

/**
 * The controller's interrupts: a message for each vector, by MSI-X or by MSI, and the line that all
 * vectors share as long as messages are off. Source: NVM Express over PCIe Transport Specification,
 * "Interrupts".
 */
final class NvmeInterrupts {
  private static final int MESSAGES = NvmeModel.MESSAGES;

  private final ConfigSpace config;
  private final boolean hasMsi;
  private @Nullable InterruptPort port;
  private boolean isAsserted;

  NvmeInterrupts(ConfigSpace config, boolean hasMsi) {
    this.config = config;
    this.hasMsi = hasMsi;
  }

  /** Puts MSI into configuration space, where MSI-X is otherwise; with a power of two messages. */
  static void describeMsi(ConfigSpace space, int messages) {
    space
        .set(MESSAGES, 1, PCI_CAP_ID_MSI)
        .set(
            MESSAGES + PCI_MSI_FLAGS,
            2,
            PCI_MSI_FLAGS_64BIT | Integer.numberOfTrailingZeros(messages) << 1)
        .allowWrites(MESSAGES + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE)
        .allowWrites(MESSAGES + PCI_MSI_ADDRESS_LO, 4, ~3)
        .allowWrites(MESSAGES + PCI_MSI_ADDRESS_HI, 4, -1)
        .allowWrites(MESSAGES + PCI_MSI_DATA_64, 2, 0xffff);
  }

  void connect(InterruptPort interrupts) {
    port = interrupts;
  }

  /** Whether software has left messages off, so that the line tells of completions. */
  boolean usesLine() {
    return hasMsi
        ? (config.read(MESSAGES + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE) == 0
        : (config.read(MESSAGES + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_ENABLE) == 0;
  }

  /**
   * Whether the message of a vector is to wait: INTMS is there for MSI and for the line, and not
   * for MSI-X, which has masks of its own.
   *
   * @param mask the vectors 0 to 31 that INTMS masks
   */
  boolean isHeldBack(int vector, int mask) {
    return hasMsi && vector >= 0 && ((mask >>> vector) & 1) != 0;
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
