package io.jvfio;

import java.util.List;
import java.util.Optional;

/**
 * An open device: what a driver needs.
 *
 * <p>Bus mastering is off until {@link #enableBusMaster()}, as the kernel leaves it at open.
 * Closing turns it off again and resets the device before anything that the device could still
 * reach is given back.
 *
 * <p>Safe for use by several threads. Everything but {@link #close()} throws {@link
 * IllegalStateException} once closed.
 */
public interface VfioDevice extends AutoCloseable {
  /** The device's name on its host: a PCI address. */
  String name();

  /**
   * The memory that the device can reach. Closed with the device where the device was opened on its
   * own.
   */
  DmaSpace dmaSpace();

  /** All regions, in order of their index; absent ones have size 0. */
  List<Region> regions();

  /**
   * The region with this VFIO index: 0 to 5 are the BARs, 6 the expansion ROM, 7 configuration
   * space.
   *
   * @throws IndexOutOfBoundsException if the device has no such region
   */
  default Region region(int index) {
    return regions().get(index);
  }

  /** The device's interrupts. */
  Interrupts interrupts();

  /** Configuration space. */
  PciConfigSpace config();

  /**
   * The device's endpoint for Enhanced Error Handling: there is one on POWER, where the kernel
   * watches the bus; empty elsewhere.
   */
  default Optional<EehEndpoint> eeh() {
    return Optional.empty();
  }

  /**
   * Lets the device start DMA and send message-signalled interrupts (COMMAND bit 2), and decodes
   * its memory BARs (bit 1).
   */
  void enableBusMaster();

  /** Stops DMA and message-signalled interrupts of the device (COMMAND bit 2). */
  void disableBusMaster();

  /**
   * Resets the function; configuration space keeps its values.
   *
   * @throws VfioException if the device has no function reset, or it failed
   */
  void reset();

  /** Stops the device, then gives back all that it used. Idempotent. */
  @Override
  void close();
}
