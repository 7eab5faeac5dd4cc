// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;

/**
 * The interrupts of a device. INTx, MSI and MSI-X exclude each other: one of them can be in use at
 * a time. What is still in use when the device is closed is turned off then, after the device was
 * stopped and before its memory is unmapped. Safe for use by several threads. Source: {@code
 * VFIO_DEVICE_SET_IRQS}, {@code drivers/vfio/pci/vfio_pci_intrs.c}.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="interrupts"}
 */
public interface Interrupts {
  /** All interrupt indexes: INTx, MSI, MSI-X, error, request. */
  List<IrqInfo> indexes();

  /**
   * Brings MSI-X vectors into use, as many of {@code count} as the host can give. Signals need the
   * device to be a bus master.
   *
   * @param count how many are wanted, 1 to the count of the index
   * @throws IllegalArgumentException if the device has fewer
   * @throws IllegalStateException if INTx, MSI or MSI-X is in use
   * @throws VfioException if the host has none to give, or the kernel refuses
   */
  InterruptVectors enableMsix(int count);

  /** Enables MSI, as {@link #enableMsix} does MSI-X. */
  InterruptVectors enableMsi(int count);

  /**
   * Brings the interrupt line into use.
   *
   * @throws IllegalStateException if INTx, MSI or MSI-X is in use
   * @throws VfioException if the device has no line, or the kernel refuses
   */
  IntxLine enableIntx();

  /**
   * The interrupt that is signalled when the device had an error that it cannot go on after.
   *
   * @throws VfioException if the device cannot tell (it is not PCI Express)
   */
  Interrupt deviceError();

  /**
   * The interrupt that is signalled when the host wants the device back, such as before it is
   * unbound or removed: whoever uses it should close it soon.
   *
   * @throws VfioException if the kernel cannot tell
   */
  Interrupt releaseRequest();
}
