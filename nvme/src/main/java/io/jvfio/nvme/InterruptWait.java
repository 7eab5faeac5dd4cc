// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.Interrupt;
import java.time.Duration;

/**
 * Waits for an interrupt for a time given in nanoseconds, without making a {@link Duration} of it.
 */
final class InterruptWait {
  /** Powers of two of milliseconds; the longest wait also bounds how late a change is noticed. */
  private static final Duration[] SLICES = slices();

  private static final long NANOS_PER_MILLI = 1_000_000;

  private final Interrupt interrupt;

  InterruptWait(Interrupt interrupt) {
    this.interrupt = interrupt;
  }

  private static Duration[] slices() {
    var slices = new Duration[8];
    for (int i = 0; i < slices.length; i++) {
      slices[i] = Duration.ofMillis(1L << i);
    }
    return slices;
  }

  /** Waits until it is signalled, or for a while that is no longer than {@code nanos} needs. */
  void await(long nanos) {
    long millis = Math.max(nanos / NANOS_PER_MILLI, 1);
    int log = Long.SIZE - 1 - Long.numberOfLeadingZeros(millis);
    interrupt.await(SLICES[Math.min(log, SLICES.length - 1)]);
  }

  /** Ends a wait of another thread, or the next one. */
  void wake() {
    interrupt.trigger();
  }
}
