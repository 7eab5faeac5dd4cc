// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;
import java.util.Optional;

/**
 * An open device: what a driver needs.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="device"}
 *
 * <p>Bus mastering is off until {@link #enableBusMaster()}, as the kernel leaves it at open.
 * Closing turns it off again and resets the device before anything that the device could still
 * reach is given back.
 *
 * <p>Safe for use by several threads. Everything but {@link #close()} and {@link #isClosed()}
 * throws {@link IllegalStateException} once closed.
 */
public interface VfioDevice extends AutoCloseable {
  /** The device's name: its PCI address on its host, or {@code unix:} and the path of a socket. */
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

  /** The configuration space. */
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

  /** Whether the kernel has a way to {@link #reset()} this function alone. */
  default boolean canReset() {
    return true;
  }

  /**
   * Resets the function; configuration space keeps its values.
   *
   * @throws VfioException if the device has no function reset, or it failed; with EAGAIN while
   *     somebody else holds the device's locks
   */
  void reset();

  /**
   * Tells whom a reset of the whole bus or slot would reach, and whether it can be done now; it is
   * there for functions that cannot be reset alone.
   *
   * @throws VfioException if the kernel does not tell
   * @throws UnsupportedOperationException if this is no device of the kernel's
   */
  default HotResetScope hotResetScope() {
    throw new UnsupportedOperationException(name() + ": no device of the kernel's");
  }

  /**
   * Resets the whole bus or slot, and so all devices of {@link #hotResetScope()}; configuration
   * spaces keep their values. All of them must be in groups that were opened together with this
   * device's.
   *
   * @throws VfioException if it cannot be done, naming the devices that stand in the way
   * @throws UnsupportedOperationException if this is no device of the kernel's
   */
  default void hotReset() {
    throw new UnsupportedOperationException(name() + ": no device of the kernel's");
  }

  /**
   * The optional features of this device, its driver and this kernel: low power, tokens of virtual
   * functions, migration, logs of writes.
   *
   * @throws UnsupportedOperationException if this is no device of the kernel's
   */
  default DeviceFeatures features() {
    throw new UnsupportedOperationException(name() + ": no device of the kernel's");
  }

  /**
   * Whether {@link #close()} has begun, in this thread or another: what a driver asks that does not
   * want to work against it. Does not throw once closed.
   */
  boolean isClosed();

  /** Stops the device, then gives back all that it used. Idempotent. */
  @Override
  void close();
}
