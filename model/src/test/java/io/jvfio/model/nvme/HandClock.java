// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.util.PriorityQueue;
import java.util.function.BooleanSupplier;

/** Time that passes when a test says so, and requests that come when it does. */
final class HandClock extends StorageWake {
  private final PriorityQueue<Long> due = new PriorityQueue<>();
  private long now = 1_000_000_000_000L;
  private volatile BooleanSupplier passesWhenPaused = () -> false;

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

  /**
   * From now on a millisecond passes whenever somebody waits, as long as the test says so: a thread
   * that has a call to make has its time for that.
   */
  void passWhenPaused(BooleanSupplier passes) {
    passesWhenPaused = passes;
  }

  @Override
  void pause(long nanos) {
    super.pause(nanos);
    if (passesWhenPaused.getAsBoolean()) {
      advanceSilently(1_000_000);
    }
  }

  /** How many requests wait for their time. */
  synchronized int waiting() {
    return due.size();
  }

  /** Lets so much time pass, and nobody comes yet for what is due. */
  synchronized void advanceSilently(long nanos) {
    now += nanos;
  }

  /** Lets so much time pass; each request comes when it is due. */
  void advance(long nanos) {
    long end = nanoTime() + nanos;
    while (passTo(end)) {
      now();
    }
  }

  /** Lets time pass until a request is due, or else until the end. */
  private synchronized boolean passTo(long end) {
    if (due.isEmpty() || due.peek() > end) {
      now = end;
      return false;
    }
    now = Math.max(now, due.remove());
    return true;
  }
}
