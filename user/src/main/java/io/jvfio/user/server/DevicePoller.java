// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Lets a device do what it does of its own accord, when it asks for that, and waits for what its
 * client signals; on a thread beside the one that waits for the client's messages. That thread
 * lives as long as the server, whatever the device throws: a kernel gives up what it does for a
 * thread that ends.
 */
public final class DevicePoller {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  /** After a failure that may last. */
  private static final long PAUSE_NANOS = 100_000_000;

  private final Kernel kernel;
  private final int epollFd;
  private final int wakeFd;
  private final MemorySegment one = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment count = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);

  /** The device has asked, and nobody has looked yet. */
  private final AtomicBoolean isAsked = new AtomicBoolean();

  /** Held while the descriptor is written: not that of something else by then. */
  private final Object writing = new Object();

  private volatile boolean isClosed;
  private volatile @Nullable Thread thread;

  /**
   * Makes what there is to wait with.
   *
   * @param kernel makes the system calls
   */
  public DevicePoller(Kernel kernel) throws ErrnoException {
    this.kernel = kernel;
    wakeFd = kernel.eventFd(0, Kernel.EFD_NONBLOCK);
    if (wakeFd < 0) {
      throw new ErrnoException("eventfd", Errno.ofResult(wakeFd));
    }
    epollFd = kernel.epollCreate();
    int result =
        epollFd < 0
            ? epollFd
            : kernel.epollControl(epollFd, Kernel.EPOLL_CTL_ADD, wakeFd, Kernel.EPOLLIN);
    if (result < 0) {
      kernel.close(wakeFd);
      if (epollFd >= 0) {
        kernel.close(epollFd);
      }
      throw new ErrnoException("epoll", Errno.ofResult(result));
    }
    one.set(ValueLayout.JAVA_LONG, 0, 1);
  }

  /** Starts to look after a device. */
  public void start(ServedDevice device, String name) {
    thread = Thread.ofPlatform().name(name + " poll").daemon().start(() -> run(device));
  }

  /** Whether the thread that asks is the one that polls. */
  public boolean isItsThread() {
    return Thread.currentThread().equals(thread);
  }

  /** An eventfd that has the same effect as {@link #request}, as long as this is not closed. */
  int eventFd() {
    return wakeFd;
  }

  /** The device asks; from any thread, and at once. Too late, it asks nobody. */
  void request() {
    if (isAsked.compareAndSet(false, true)) {
      synchronized (writing) {
        if (!isClosed) {
          wake();
        }
      }
    }
  }

  /**
   * Waits for an eventfd of the client's, too; 0, or a negated errno. It is told of each signal,
   * and reads nothing: a read could wait, if the client has read before it.
   */
  int watchSignals(int fd) {
    return kernel.epollControl(epollFd, Kernel.EPOLL_CTL_ADD, fd, Kernel.EPOLLIN | Kernel.EPOLLET);
  }

  /** Waits for a set of descriptors, too, as long as anything in it is ready; as above. */
  int watchSet(int fd) {
    return kernel.epollControl(epollFd, Kernel.EPOLL_CTL_ADD, fd, Kernel.EPOLLIN);
  }

  /** Ends to wait for one, before the descriptor is closed. */
  void unwatch(int fd) {
    kernel.epollControl(epollFd, Kernel.EPOLL_CTL_DEL, fd, 0);
  }

  private void wake() {
    kernel.write(wakeFd, one);
  }

  private void run(ServedDevice device) {
    int[] ready = new int[2];
    while (!isClosed) {
      int number = kernel.epollWait(epollFd, ready, -1);
      if (number < 0) {
        LOG.log(Level.WARNING, "a device is not polled for a while: {0}", Errno.ofResult(number));
        LockSupport.parkNanos(PAUSE_NANOS);
      }
      for (int i = 0; i < number; i++) {
        if (ready[i] == wakeFd) {
          kernel.read(wakeFd, count);
          isAsked.set(false);
          poll(device);
        } else {
          signalled(device, ready[i]);
        }
      }
    }
  }

  private void signalled(ServedDevice device, int fd) {
    device.acquire();
    try {
      device.signalled(fd);
    } catch (RuntimeException | Error e) {
      device.failed("write()", e);
    } finally {
      device.lock.unlock();
    }
  }

  /**
   * Lets the device work until it has nothing to do: a round at a time, so that commands of the
   * client come in between, and only as long as it is the same client's work. Whoever comes next
   * asks anew.
   */
  private void poll(ServedDevice device) {
    int client = device.clientNumber();
    boolean worked = true;
    while (worked && !isClosed && device.clientNumber() == client) {
      device.acquire();
      try {
        worked = device.poll();
      } catch (RuntimeException | Error e) {
        device.failed("poll()", e);
        worked = false;
      } finally {
        device.lock.unlock();
      }
    }
  }

  /** Ends it. Who asks from now on, as a device may that comes to no end, asks nobody. */
  public void close() {
    synchronized (writing) {
      if (isClosed) {
        return;
      }
      isClosed = true;
      wake();
    }
    var started = thread;
    if (started != null) {
      Patience.join(started);
    }
    kernel.close(epollFd);
    kernel.close(wakeFd);
  }
}
