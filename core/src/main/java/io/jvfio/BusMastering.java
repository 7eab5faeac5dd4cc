// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The time in which a device may do DMA and send messages. Closing it ends that; idempotent, and
 * harmless once the device is closed, which ends it too.
 */
public final class BusMastering implements AutoCloseable {
  private final VfioDevice device;
  private final AtomicBoolean closed = new AtomicBoolean();

  BusMastering(VfioDevice device) {
    this.device = device;
    device.enableBusMaster();
  }

  /**
   * Turns bus mastering off.
   *
   * @throws VfioException if the kernel refuses
   */
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    try {
      device.disableBusMaster();
    } catch (IllegalStateException e) {
      // The device is closed: that turned it off.
    }
  }

  @Override
  public String toString() {
    return "bus mastering of " + device.name();
  }
}
