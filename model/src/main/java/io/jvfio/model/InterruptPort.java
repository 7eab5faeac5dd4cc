package io.jvfio.model;

/** How a device sends interrupts. The host does what of masking and enabling is its own. */
public interface InterruptPort {
  /**
   * Sends a message-signalled interrupt (MSI-X or MSI): whichever the host has enabled; none is
   * sent otherwise.
   *
   * @param vector below {@link DeviceModel#msixVectors()}
   */
  void signal(int vector);

  /** Raises or lowers the interrupt line (INTx). */
  void line(boolean asserted);
}
