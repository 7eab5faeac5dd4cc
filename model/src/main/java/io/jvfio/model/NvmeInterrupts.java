package io.jvfio.model;

import org.jspecify.annotations.Nullable;

/**
 * The controller's interrupts: a message for each vector, and the line that all vectors share as
 * long as MSI-X is off. Source: NVM Express over PCIe Transport Specification, "Interrupts".
 */
final class NvmeInterrupts {
  private static final int STATUS = 0x06;
  private static final int STATUS_INTERRUPT = 1 << 3;
  private static final int MSIX_CONTROL = 0x42;
  private static final int MSIX_ENABLE = 1 << 15;

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
    return (config.read(MSIX_CONTROL, 2) & MSIX_ENABLE) == 0;
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
    int status = config.read(STATUS, 2);
    config.set(STATUS, 2, asserted ? status | STATUS_INTERRUPT : status & ~STATUS_INTERRUPT);
    if (port != null) {
      port.line(asserted);
    }
  }
}
