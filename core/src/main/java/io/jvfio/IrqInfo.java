// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * The kernel's description of an interrupt index. Source: {@code struct vfio_irq_info}.
 *
 * @param index 0 INTx, 1 MSI, 2 MSI-X, 3 error, 4 request
 * @param count how many interrupts it has
 * @param maskable whether they can be masked
 * @param autoMasked whether each signal masks the line until it is unmasked
 * @param resizable whether vectors can be added while others are in use
 */
public record IrqInfo(
    int index, int count, boolean maskable, boolean autoMasked, boolean resizable) {

  /** The name of the interrupt index. */
  public String label() {
    return switch (index) {
      case 0 -> "INTx";
      case 1 -> "MSI";
      case 2 -> "MSI-X";
      case 3 -> "error";
      case 4 -> "request";
      default -> "interrupt " + index;
    };
  }
}
