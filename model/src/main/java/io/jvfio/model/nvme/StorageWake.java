package io.jvfio.model.nvme;

import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
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
  private volatile Runnable request = () -> {};
  private volatile int eventFd = NONE;

  /** What runs late requests of all controllers: rarely, and shortly. */
  private static final class Timer {
    static final ScheduledExecutorService INSTANCE =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("jvfio nvme timer").daemon().factory());
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
    var _ = Timer.INSTANCE.schedule(this::now, nanos, TimeUnit.NANOSECONDS);
  }

  /** Nanoseconds that pass, as {@link System#nanoTime}. */
  long nanoTime() {
    return System.nanoTime();
  }
}
