package io.jvfio.nvme;

/**
 * Waits for a device by looking again and again: busily at first, for a fast device, and giving way
 * to other threads after that, for a machine with few or emulated processors.
 */
final class Backoff {
  private static final int BUSY_SPINS = 256;

  private final long nanos;
  private long start;
  private int spins;

  /** Waits for {@code nanos} from now, or from the last {@link #restart()}. */
  Backoff(long nanos) {
    this.nanos = nanos;
    restart();
  }

  /** There was progress: the time starts again. */
  void restart() {
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
    } else {
      Thread.yield();
    }
  }
}
