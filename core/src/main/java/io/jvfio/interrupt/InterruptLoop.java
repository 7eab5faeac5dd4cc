// SPDX-License-Identifier: Apache-2.0
package io.jvfio.interrupt;

import io.jvfio.InterruptHandler;
import io.jvfio.VfioException;
import io.jvfio.jfr.InterruptHandlerEvent;
import io.jvfio.jfr.Jfr;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.Explanations;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The thread that calls all handlers of a device. It is started for the first handler, waits in one
 * epoll for all eventfds, and allocates nothing for a signal.
 *
 * <p>A handler runs without the loop's lock, so it may do anything, closing its own device
 * included. Whoever takes a handler away from another thread waits until it is not running any
 * more, and must not hold a lock that a handler waits for.
 */
final class InterruptLoop {
  private static final System.Logger LOG = System.getLogger("io.jvfio");
  private static final int MOST_AT_ONCE = 64;
  private static final int NO_FILE = -1;

  /** It looks up as often as this, so that a lost wake-up delays closing and no more. */
  private static final int SLICE_MILLIS = 1000;

  private final Kernel kernel;
  private final String name;

  /** By descriptor; guarded by this. */
  private @Nullable EventInterrupt[] handled = new EventInterrupt[0];

  private int epoll = NO_FILE;
  private @Nullable EventFd stop;
  private @Nullable Thread thread;

  /** The interrupt whose handler is running, or null; guarded by this. */
  private @Nullable EventInterrupt running;

  private boolean closed;

  /**
   * A loop whose thread does not run yet.
   *
   * @param name of the device
   */
  InterruptLoop(Kernel kernel, String name) {
    this.kernel = kernel;
    this.name = name;
  }

  Kernel kernel() {
    return kernel;
  }

  /** Gives an interrupt a handler, or another one. */
  synchronized void add(EventInterrupt interrupt, InterruptHandler handler) {
    if (closed) {
      throw new IllegalStateException(name + " is closed");
    }
    int fd = interrupt.event().fd();
    if (fd < handled.length && interrupt.equals(handled[fd])) {
      interrupt.handler(handler);
      return;
    }
    start();
    if (fd >= handled.length) {
      handled = Arrays.copyOf(handled, Math.max(fd + 1, 2 * handled.length));
    }
    handled[fd] = interrupt;
    interrupt.handler(handler);
    int result = kernel.epollControl(epoll, Kernel.EPOLL_CTL_ADD, fd, Kernel.EPOLLIN);
    if (result < 0) {
      handled[fd] = null;
      interrupt.handler(null);
      throw failure("epoll_ctl", result);
    }
  }

  /** Takes the handler away; it is not running any more then, but for the caller's own. */
  synchronized void remove(EventInterrupt interrupt) {
    int fd = interrupt.event().fd();
    if (fd < handled.length && interrupt.equals(handled[fd])) {
      handled[fd] = null;
      interrupt.handler(null);
      int result = closed ? 0 : kernel.epollControl(epoll, Kernel.EPOLL_CTL_DEL, fd, 0);
      if (result < 0) {
        awaitEndOf(interrupt);
        throw failure("epoll_ctl", result);
      }
    }
    awaitEndOf(interrupt);
  }

  private void awaitEndOf(EventInterrupt interrupt) {
    boolean interrupted = false;
    while (interrupt.equals(running) && !Thread.currentThread().equals(thread)) {
      try {
        wait();
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void start() {
    if (thread != null) {
      return;
    }
    try (var undo = new Cleanup()) {
      int set = kernel.epollCreate();
      if (set < 0) {
        throw failure("epoll_create1", set);
      }
      undo.add(() -> closeEpoll(set));
      var wake = new EventFd(kernel, name + ", end of the interrupt thread");
      undo.add(wake::close);
      int result = kernel.epollControl(set, Kernel.EPOLL_CTL_ADD, wake.fd(), Kernel.EPOLLIN);
      if (result < 0) {
        throw failure("epoll_ctl", result);
      }
      undo.release();
      epoll = set;
      stop = wake;
    }
    thread = Thread.ofPlatform().name("jvfio interrupts " + name).daemon().start(this::run);
  }

  private void run() {
    var ready = new int[MOST_AT_ONCE];
    while (!isClosed()) {
      int count = kernel.epollWait(epoll, ready, SLICE_MILLIS);
      if (count < 0) {
        LOG.log(
            System.Logger.Level.ERROR,
            "{0}: interrupt handlers are not called any more, for epoll_wait failed: {1}",
            name,
            Errno.ofResult(count));
        return;
      }
      for (int i = 0; i < count; i++) {
        deliver(ready[i]);
      }
    }
  }

  private synchronized boolean isClosed() {
    return closed;
  }

  /** Takes what was signalled to a descriptor, and calls the handler if there is one still. */
  private void deliver(int fd) {
    @Nullable EventInterrupt interrupt;
    @Nullable InterruptHandler handler;
    synchronized (this) {
      interrupt = !closed && fd < handled.length ? handled[fd] : null;
      handler = interrupt == null ? null : interrupt.handler();
      if (interrupt == null || handler == null) {
        return;
      }
      running = interrupt;
    }
    try {
      call(interrupt, handler);
    } finally {
      synchronized (this) {
        running = null;
        notifyAll();
      }
    }
  }

  private void call(EventInterrupt interrupt, InterruptHandler handler) {
    long count;
    try {
      count = interrupt.event().take();
    } catch (VfioException e) {
      LOG.log(System.Logger.Level.ERROR, interrupt + ": its handler is not called any more", e);
      remove(interrupt); // it would be ready again at once
      return;
    }
    if (count == 0) {
      return; // it was ready for who had this descriptor before
    }
    var run = Jfr.isInUse() ? InterruptHandlerEvent.started() : null;
    try {
      handler.signalled(count);
    } catch (Throwable t) {
      // Whatever it is: the handlers of other interrupts are to be called still.
      LOG.log(System.Logger.Level.ERROR, interrupt + ": its handler failed", t);
    }
    if (run != null) {
      run.ended(interrupt.toString(), count);
    }
  }

  /** Ends the thread after the handler that is running, if any, and gives its files back. */
  void close() {
    @Nullable Thread running;
    @Nullable EventFd wake;
    int set;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      running = thread;
      wake = stop;
      set = epoll;
    }
    if (running == null || wake == null) {
      return;
    }
    try (var steps = new Cleanup()) {
      steps.add(wake::close);
      steps.add(() -> closeEpoll(set));
      if (!Thread.currentThread().equals(running)) {
        steps.add(() -> join(running));
        steps.add(wake::signal);
      }
    }
  }

  private static void join(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void closeEpoll(int set) {
    int result = kernel.close(set);
    if (result < 0) {
      throw failure("close", result);
    }
  }

  private VfioException failure(String operation, int result) {
    var errno = Errno.ofResult(result);
    return Explanations.eventFd(errno).failure(operation, name + ", interrupt thread", errno);
  }
}
