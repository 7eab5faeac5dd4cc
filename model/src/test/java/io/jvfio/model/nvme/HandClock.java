package io.jvfio.model.nvme;

import java.util.PriorityQueue;

/** Time that passes when a test says so, and requests that come when it does. */
final class HandClock extends StorageWake {
  private final PriorityQueue<Long> due = new PriorityQueue<>();
  private long now = 1_000_000_000_000L;

  HandClock() {
    super(false);
  }

  @Override
  synchronized long nanoTime() {
    return now;
  }

  @Override
  synchronized void in(long nanos) {
    due.add(now + nanos);
  }

  /** How many requests wait for their time. */
  synchronized int waiting() {
    return due.size();
  }

  /** Lets so much time pass; the requests that are due then have come. */
  void advance(long nanos) {
    int requests = 0;
    synchronized (this) {
      now += nanos;
      while (!due.isEmpty() && due.peek() <= now) {
        due.remove();
        requests++;
      }
    }
    for (int i = 0; i < requests; i++) {
      now();
    }
  }
}
