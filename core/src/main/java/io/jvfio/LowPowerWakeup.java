// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.time.Duration;

/** Tells that a device in low power was woken, which has ended low power. */
public final class LowPowerWakeup implements AutoCloseable {
  private final Kernel kernel;
  private final OpenFile event;

  LowPowerWakeup(Kernel kernel, OpenFile event) {
    this.kernel = kernel;
    this.event = event;
  }

  /**
   * Waits until the device was woken; it stays so.
   *
   * @param timeout how long to wait at most, in milliseconds at the finest
   * @return whether it was
   * @throws VfioException if the kernel does not let it wait
   * @throws IllegalStateException if closed
   */
  public boolean await(Duration timeout) {
    int millis = Math.clamp(timeout.toMillis(), 0, Integer.MAX_VALUE);
    int result = kernel.awaitReadable(event.fd(), millis);
    if (result < 0) {
      throw new VfioException(
          "poll",
          event.name(),
          Errno.ofResult(result),
          "The wake-up event cannot be waited for.",
          "The device can be used; that wakes it.");
    }
    return result > 0;
  }

  /** Forgets the event; the device stays as it is. Idempotent. */
  @Override
  public void close() {
    event.close();
  }

  @Override
  public String toString() {
    return event.name();
  }
}
