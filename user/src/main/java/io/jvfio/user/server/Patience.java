// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Waits that an interrupt does not end: the thread has it afterwards. */
public final class Patience {
  private Patience() {}

  /** Something to wait for, a little at a time. */
  private interface Wait {
    /** Whether it has come. */
    boolean isOver() throws InterruptedException;
  }

  /** Waits until a thread has ended. */
  public static void join(Thread thread) {
    await(
        () -> {
          thread.join();
          return true;
        });
  }

  /**
   * Waits for a latch.
   *
   * @param meanwhile what to do now and then
   */
  public static void await(CountDownLatch latch, long everyMillis, Runnable meanwhile) {
    await(
        () -> {
          boolean isOver = latch.await(everyMillis, TimeUnit.MILLISECONDS);
          if (!isOver) {
            meanwhile.run();
          }
          return isOver;
        });
  }

  private static void await(Wait wait) {
    boolean isInterrupted = false;
    while (true) {
      try {
        if (wait.isOver()) {
          break;
        }
      } catch (InterruptedException _) {
        isInterrupted = true;
      }
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
