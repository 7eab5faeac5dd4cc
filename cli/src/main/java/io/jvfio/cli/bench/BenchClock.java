// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

/** What the jobs of a run are to do now; set by the thread that runs them, or by Ctrl-C. */
public final class BenchClock {
  /** I/O that does not count. */
  static final int WARM_UP = 0;

  /** I/O that counts. */
  public static final int MEASURE = 1;

  /** No new I/O; what was written is looked at, where that was asked for. */
  static final int VERIFY = 2;

  /** Nothing new at all. */
  static final int STOP = 3;

  private volatile int phase;
  private volatile boolean isInterrupted;

  public int phase() {
    return phase;
  }

  /** The user has seen enough: nothing new at all, from now on. */
  public void interrupt() {
    isInterrupted = true;
    advance(STOP);
  }

  public boolean isInterrupted() {
    return isInterrupted;
  }

  /** Goes on to a later phase; never back. */
  synchronized void advance(int next) {
    if (next > phase) {
      phase = next;
    }
  }
}
