package io.jvfio.model.nvme;

import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

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
  private volatile Runnable request = () -> {};
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

  void connect(Runnable pollRequest) {
    request = pollRequest;
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
  void now() {
    request.run();
  }

  /** Has the controller polled in some time. */
  void in(long nanos) {
    var _ = timer.schedule(this::now, nanos, TimeUnit.NANOSECONDS);
  }

  /** Nanoseconds that pass, as {@link System#nanoTime}. */
  long nanoTime() {
    return System.nanoTime();
  }
}
