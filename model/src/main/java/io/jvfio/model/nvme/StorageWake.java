// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * How a storage has its controller polled: at once, or in some time. The controller learns how when
 * it is plugged into its host, which is after its storage was opened.
 *
 * <p>Safe for use by several threads.
 */
class StorageWake {
  private static final int NONE = -1;

  private final boolean isPolled;
  private final ScheduledThreadPoolExecutor timer = Timer.INSTANCE;

  /** Who is asked; null before there is somebody, and afterwards. */
  private @Nullable Runnable request;

  /** What is to be asked later. */
  private final List<Future<?>> late = new ArrayList<>();

  private volatile int eventFd = NONE;

  /**
   * What runs late requests of all controllers: rarely, and shortly. Its thread is there from the
   * first controller on, and not from the first that is late: a server keeps the threads it began
   * with.
   */
  private static final class Timer {
    static final ScheduledThreadPoolExecutor INSTANCE =
        new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("jvfio nvme timer").daemon().factory());

    static {
      INSTANCE.setRemoveOnCancelPolicy(true);
      INSTANCE.prestartCoreThread();
    }
  }

  /**
   * A way that leads nowhere yet.
   *
   * @param isPolled whether the controller is polled all the time, and need not be asked to be
   */
  StorageWake(boolean isPolled) {
    this.isPolled = isPolled;
  }

  synchronized void connect(Runnable pollRequest) {
    request = pollRequest;
  }

  /**
   * Nobody is asked from now on. Who is being asked by another thread has been when this returns:
   * what a request needs can be given back then.
   */
  synchronized void disconnect() {
    request = null;
    eventFd = NONE;
    late.forEach(each -> each.cancel(false));
    late.clear();
  }

  void connectEvent(int fd) {
    eventFd = fd;
  }

  boolean isPolled() {
    return isPolled;
  }

  /** The eventfd that does the same as {@link #now}, or -1 if there is none. */
  int eventFd() {
    return eventFd;
  }

  /** Has the controller polled; at once. */
  synchronized void now() {
    if (request != null) {
      request.run();
    }
  }

  /** Has the controller polled in some time. */
  synchronized void in(long nanos) {
    late.removeIf(Future::isDone);
    if (request != null) {
      late.add(timer.schedule(this::now, nanos, TimeUnit.NANOSECONDS));
    }
  }

  /** Has the caller wait. */
  void pause(long nanos) {
    LockSupport.parkNanos(nanos);
  }

  /** Nanoseconds that pass, as {@link System#nanoTime}. */
  long nanoTime() {
    return System.nanoTime();
  }
}
