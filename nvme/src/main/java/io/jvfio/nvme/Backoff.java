// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.util.concurrent.locks.LockSupport;

/**
 * Waits for a device by looking again and again: busily at first, for a fast device; giving way to
 * other threads after that, for a machine with few or emulated processors; and with pauses in the
 * end, where the device is known to be slow.
 */
final class Backoff {
  private static final int BUSY_SPINS = 256;
  private static final int YIELDS = 2048;
  private static final long PAUSE_NANOS = 50_000;

  private final boolean mayPause;
  private long nanos;
  private long start;
  private int spins;

  private Backoff(boolean mayPause) {
    this.mayPause = mayPause;
  }

  /** A wait for what takes microseconds: it never sleeps. */
  static Backoff busy() {
    return new Backoff(false);
  }

  /** A wait for what can take long: it sleeps between looks after the first. */
  static Backoff patient(long nanos) {
    var backoff = new Backoff(true);
    backoff.restart(nanos);
    return backoff;
  }

  /** The wait begins now, and takes {@code waitNanos} at most. */
  void restart(long waitNanos) {
    nanos = waitNanos;
    spins = 0;
    start = 0;
  }

  /** Whether the time is over; the clock is read only once the busy phase is. */
  boolean isExpired() {
    return spins >= BUSY_SPINS && elapsed() >= nanos;
  }

  private long elapsed() {
    long now = System.nanoTime();
    if (start == 0) {
      // 0 stands for "not started"; a clock that reads 0 is put off by a nanosecond.
      start = now == 0 ? 1 : now;
    }
    return now - start;
  }

  /** Lets a little time pass. */
  // The waiter and an emulated device may share one processor: giving way is the point.
  @SuppressWarnings("ThreadPriorityCheck")
  void pause() {
    if (spins < BUSY_SPINS) {
      spins++;
      Thread.onSpinWait();
    } else if (!mayPause || spins < BUSY_SPINS + YIELDS) {
      spins = mayPause ? spins + 1 : spins;
      Thread.yield();
    } else {
      LockSupport.parkNanos(PAUSE_NANOS);
    }
  }
}
