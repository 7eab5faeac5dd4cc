// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.wire.Header;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Lets clients of a server in, and hands them over one after the other to the thread that serves
 * them. Who has said nothing yet is not handed over, so that a silent one costs the others nothing;
 * who comes while there is another one is told so after a while.
 *
 * <p>Its thread waits for nobody in particular: nothing that a client does or leaves undone keeps
 * it from the next, nor from its end.
 */
public final class Reception implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  /** How long a client waits for the one before it to be gone. */
  private static final int GRACE_MILLIS = 1000;

  /** Those who are neither served nor refused, at most. What is more waits in the kernel. */
  private static final int MOST_WAITING = 128;

  private static final int MOST_READY = 64;

  /** A first message is seldom longer; who sends more than that may miss the answer. */
  private static final int READ_BYTES = 64 << 10;

  /**
   * How long somebody is waited for who was here a moment ago: where others accept at the same
   * socket, one of them may have been first.
   */
  private static final int ACCEPT_MILLIS = 1;

  /** After a failure that may last, such as too many open files. */
  private static final int PAUSE_MILLIS = 100;

  private final UnixSocket listening;
  private final Kernel kernel;
  private final String name;
  private final long patienceNanos;
  private final boolean isOwn;
  private final Runnable onCrowd;
  private final int epollFd;
  private final int wakeFd;
  private final Thread thread;
  private final MemorySegment one = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment message = Arena.ofAuto().allocate(READ_BYTES, Long.BYTES);

  /** Who has said nothing yet, the longest here first; of this thread. */
  private final List<Visitor> silent = new ArrayList<>();

  /** Who has said something, in that order; guarded by itself. */
  private final Queue<Visitor> ready = new ArrayDeque<>();

  private volatile boolean isClosed;

  /** The listening socket is waited at; there is room for more. */
  private boolean isOpen;

  private long closedUntil;

  /** Somebody who has connected, and since when that, or a first message, is here. */
  private record Visitor(UnixSocket socket, long since) {}

  /**
   * Waits at a socket that listens, which stays the caller's.
   *
   * @param isOwn whether nobody else accepts there, so that it ends with this
   * @param patienceNanos how long somebody may say nothing
   * @param onCrowd what to do before somebody is refused
   */
  public Reception(
      UnixSocket listening, boolean isOwn, String name, long patienceNanos, Runnable onCrowd)
      throws ErrnoException {
    this.listening = listening;
    kernel = listening.kernel();
    this.isOwn = isOwn;
    this.name = name;
    this.patienceNanos = patienceNanos;
    this.onCrowd = onCrowd;
    if (!isOwn) {
      listening.limitWaits(ACCEPT_MILLIS, 0);
    }
    wakeFd = checked("eventfd", kernel.eventFd(0, Kernel.EFD_NONBLOCK));
    epollFd = kernel.epollCreate();
    int result = epollFd < 0 ? epollFd : watch(wakeFd);
    if (result < 0) {
      closeAll(wakeFd, epollFd);
      throw new ErrnoException("epoll", Errno.ofResult(result));
    }
    one.set(ValueLayout.JAVA_LONG, 0, 1);
    thread = Thread.ofPlatform().name("vfio-user " + name).daemon().unstarted(this::run);
  }

  private static int checked(String operation, int result) throws ErrnoException {
    if (result < 0) {
      throw new ErrnoException(operation, Errno.ofResult(result));
    }
    return result;
  }

  private void closeAll(int... fds) {
    for (int fd : fds) {
      if (fd >= 0) {
        kernel.close(fd);
      }
    }
  }

  private int watch(int fd) {
    return kernel.epollControl(epollFd, Kernel.EPOLL_CTL_ADD, fd, Kernel.EPOLLIN);
  }

  private void unwatch(int fd) {
    kernel.epollControl(epollFd, Kernel.EPOLL_CTL_DEL, fd, 0);
  }

  /** Lets clients in from now on. */
  public void start() {
    thread.start();
  }

  /** Whether the thread that asks is the one that lets clients in. */
  public boolean isItsThread() {
    return Thread.currentThread().equals(thread);
  }

  /** Waits for the next client that has said something; null when there will be none any more. */
  public @Nullable UnixSocket next() {
    synchronized (ready) {
      while (true) {
        var next = ready.poll();
        if (next != null || isClosed) {
          return next == null ? null : next.socket();
        }
        try {
          ready.wait();
        } catch (InterruptedException e) {
          LOG.log(Level.DEBUG, "an interrupt does not end a server", e);
        }
      }
    }
  }

  private void run() {
    int[] some = new int[MOST_READY];
    try {
      while (!isClosed) {
        welcome();
        int count = kernel.epollWait(epollFd, some, timeoutMillis());
        if (count < 0) {
          sayPaused(count);
          LockSupport.parkNanos(PAUSE_MILLIS * 1_000_000L);
        }
        for (int i = 0; i < count; i++) {
          if (some[i] == listening.fd()) {
            accept();
          } else if (some[i] != wakeFd) {
            hasSpoken(some[i]);
          }
        }
        long now = System.nanoTime();
        endPatience(now);
        refuse(now);
      }
    } catch (RuntimeException | Error e) {
      LOG.log(Level.ERROR, "no more clients are let in at " + name + ": " + e, e);
    }
  }

  /** Waits at the listening socket, or does not while there are too many. */
  private void welcome() {
    boolean opens = readyCount() < MOST_WAITING && System.nanoTime() - closedUntil >= 0;
    if (opens && !isOpen) {
      int result = watch(listening.fd());
      if (result < 0) {
        sayPaused(result);
        pause();
        return;
      }
    } else if (!opens && isOpen) {
      unwatch(listening.fd());
    }
    isOpen = opens;
  }

  private int readyCount() {
    synchronized (ready) {
      return ready.size();
    }
  }

  /** Until the next of those who wait has waited long enough; -1 if there is none. */
  private int timeoutMillis() {
    long next = Long.MAX_VALUE;
    long now = System.nanoTime();
    if (!silent.isEmpty()) {
      next = silent.getFirst().since() + patienceNanos - now;
    }
    synchronized (ready) {
      var first = ready.peek();
      if (first != null) {
        next = Math.min(next, first.since() + GRACE_MILLIS * 1_000_000L - now);
      }
    }
    if (!isOpen && closedUntil - now > 0) {
      next = Math.min(next, closedUntil - now);
    }
    return next == Long.MAX_VALUE
        ? -1
        : Math.clamp((next + 999_999) / 1_000_000, 0, Integer.MAX_VALUE);
  }

  private void accept() {
    UnixSocket socket;
    try {
      socket = listening.accept();
    } catch (ErrnoException e) {
      boolean isTaken = e.errno().equals(Errno.EAGAIN);
      if (!isClosed && !isTaken) {
        LOG.log(Level.WARNING, "a client could not connect to {0}: {1}", name, e.getMessage());
        pause();
      }
      return;
    }
    int result = watch(socket.fd());
    if (result < 0) {
      LOG.log(
          Level.WARNING, "a client of {0} is not waited for: {1}", name, Errno.ofResult(result));
      socket.close();
      return;
    }
    if (!silent.isEmpty() && silent.size() + readyCount() >= MOST_WAITING) {
      sendSilentAway(); // the one who has said nothing for the longest time
    }
    silent.add(new Visitor(socket, System.nanoTime()));
  }

  private void sayPaused(int result) {
    LOG.log(
        Level.WARNING, "no client is let in at {0} for a while: {1}", name, Errno.ofResult(result));
  }

  private void pause() {
    closedUntil = System.nanoTime() + PAUSE_MILLIS * 1_000_000L;
  }

  private void sendSilentAway() {
    LOG.log(Level.DEBUG, "a connection to {0} came to nothing: it said nothing", name);
    silent.removeFirst().socket().close();
  }

  /** Somebody has sent something, or is gone: both is for who serves clients. */
  private void hasSpoken(int fd) {
    for (Iterator<Visitor> all = silent.iterator(); all.hasNext(); ) {
      var visitor = all.next();
      if (visitor.socket().fd() == fd) {
        all.remove();
        unwatch(fd);
        synchronized (ready) {
          ready.add(new Visitor(visitor.socket(), System.nanoTime()));
          ready.notifyAll();
        }
        return;
      }
    }
  }

  private void endPatience(long now) {
    while (!silent.isEmpty() && now - silent.getFirst().since() >= patienceNanos) {
      sendSilentAway();
    }
  }

  /** Says to those who have waited long enough that there is another one. */
  private void refuse(long now) {
    boolean isFirst = true;
    while (true) {
      UnixSocket socket;
      synchronized (ready) {
        var first = ready.peek();
        if (first == null || now - first.since() < GRACE_MILLIS * 1_000_000L) {
          return;
        }
        if (!isFirst) {
          ready.remove();
        }
        socket = first.socket();
      }
      if (isFirst) {
        // Whoever is served may go now, which is for the first of them.
        isFirst = false;
        onCrowd.run();
        continue;
      }
      try (socket) {
        answerBusy(socket);
      }
    }
  }

  private void answerBusy(UnixSocket socket) {
    var fds = new int[UnixSocket.MAX_DESCRIPTORS];
    long size = socket.receive(message, 0, READ_BYTES, fds, 0, false);
    if (size >= 0) {
      closeAll(Arrays.copyOf(fds, socket.received()));
    }
    if (size < Header.SIZE) {
      return; // a part of a message, or nothing any more
    }
    Header.writeError(message, Header.id(message), Header.command(message), Errno.EBUSY.number());
    socket.send(message, 0, Header.SIZE, fds, 0, false);
  }

  /** Lets nobody in any more, and sends away who has not been handed over. */
  @Override
  public void close() {
    isClosed = true;
    if (isOwn) {
      listening.shutdown(); // who connects from here on is refused
    }
    kernel.write(wakeFd, one);
    Patience.join(thread);
    synchronized (ready) {
      ready.forEach(visitor -> visitor.socket().close());
      ready.clear();
      ready.notifyAll();
    }
    silent.forEach(visitor -> visitor.socket().close());
    silent.clear();
    closeAll(epollFd, wakeFd);
  }
}
