// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

/**
 * The way of a device to send interrupts. The host knows what is enabled and masked: a device with
 * several kinds signals and moves its line at the same time, and the host takes what counts. Any
 * thread can use it.
 */
public interface InterruptPort {
  /**
   * Sends a message-signalled interrupt (MSI-X or MSI): whichever the host has enabled; none is
   * sent otherwise.
   *
   * @param vector below {@link DeviceModel#msixVectors()}, or the number of MSI's messages
   */
  void signal(int vector);

  /** Raises or lowers the interrupt line (INTx). */
  void line(boolean asserted);
}
