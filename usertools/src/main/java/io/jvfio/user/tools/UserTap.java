// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.peer.WirePeer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Stands between clients and a server: listens at one path, connects each client to another, passes
 * on every byte and descriptor as it came, and tells a {@link TapObserver} of every message. A twin
 * socket is listened to as well.
 *
 * <p>Clients may come one after the other or at once. All methods may be called by any thread, but
 * not by the observer.
 */
public final class UserTap implements AutoCloseable {
  /** How long a server may take to take a client; one at a time waits for that. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private static final int ONLY_OWNER = 0600;

  private final long start = System.nanoTime();
  private final Path path;
  private final String server;
  private final Duration patience;
  private final UnixSocket listener;
  private final TapQueue queue = new TapQueue();
  private final Set<TapConnection> connections = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean isClosed = new AtomicBoolean();
  private final Thread acceptor;
  private final Thread teller;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private int over;
  private boolean isTold;
  private @Nullable RuntimeException failure;

  private UserTap(
      Path path, Path server, Duration patience, UnixSocket listener, TapObserver observer) {
    this.path = path;
    this.server = server.toString();
    this.patience = patience;
    this.listener = listener;
    this.acceptor = Thread.ofPlatform().name("jvfio-tap-accept").daemon().unstarted(this::accept);
    this.teller =
        Thread.ofPlatform().name("jvfio-tap-tell").daemon().unstarted(() -> tell(observer));
  }

  /**
   * Begins to listen. The socket is the owner's only (mode 0600).
   *
   * @param listen where clients connect to; it must not exist, and is removed when the tap is
   *     closed
   * @param server where the server listens; it is connected to for each client, which is
   *     disconnected if the server does not take it within 10 seconds
   * @param observer learns of the messages
   * @throws VfioException if it cannot listen there
   */
  public static UserTap listen(Path listen, Path server, TapObserver observer) {
    return listen(LinuxKernel.instance(), listen, server, PATIENCE, observer);
  }

  static UserTap listen(
      Kernel kernel, Path listen, Path server, Duration patience, TapObserver observer) {
    UnixSocket listener;
    try {
      listener = UnixSocket.listen(kernel, listen.toString(), ONLY_OWNER);
    } catch (ErrnoException e) {
      throw cannotListen(listen, e.errno());
    }
    var tap = new UserTap(listen, server, patience, listener, observer);
    tap.teller.start();
    tap.acceptor.start();
    return tap;
  }

  static VfioException cannotListen(Path path, Errno errno) {
    boolean exists = errno.equals(Errno.EADDRINUSE);
    return new VfioException(
        "listen",
        path.toString(),
        errno,
        exists ? "Something has that path already." : "No socket can be made there.",
        exists ? "Choose another path, or remove it if no server has it." : "");
  }

  private void accept() {
    int number = 0;
    while (true) {
      UnixSocket client;
      try {
        client = listener.accept();
      } catch (ErrnoException e) {
        if (isClosed.get()) {
          return;
        }
        fail(
            new VfioException(
                "accept",
                path.toString(),
                e.errno(),
                "No client can be taken any more.",
                "If descriptors ran out, raise the limit (ulimit -n)."));
        return;
      }
      number++;
      accepted(number, client);
    }
  }

  private void accepted(int number, UnixSocket client) {
    long nanos = System.nanoTime() - start;
    queue.add(told -> told.connected(number, nanos), 0);
    UnixSocket toServer;
    try {
      toServer = WirePeer.connectOnce(listener.kernel(), server, patience);
    } catch (ErrnoException e) {
      client.close();
      var why = e.errno().equals(Errno.EAGAIN) ? "the server takes nobody" : "there is no server";
      queue.add(told -> told.disconnected(number, nanos, why + ": " + e.getMessage()), 0);
      ended();
      return;
    }
    var connection = new TapConnection(number, start, queue, this::over);
    connections.add(connection);
    connection.start(client, toServer);
    if (isClosed.get()) {
      connection.shutdown("the tap was closed");
    }
  }

  private void over(TapConnection connection) {
    connections.remove(connection);
    ended();
  }

  private void ended() {
    queue.add(
        _ -> {
          lock.lock();
          try {
            over++;
            changed.signalAll();
          } finally {
            lock.unlock();
          }
        },
        0);
  }

  private void tell(TapObserver observer) {
    try {
      for (var next = queue.take(); next != null; next = queue.take()) {
        next.accept(observer);
        if (queue.isEmpty()) {
          observer.caughtUp();
        }
      }
    } catch (RuntimeException e) {
      fail(e);
    } finally {
      queue.end();
      lock.lock();
      try {
        isTold = true;
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /** Nobody can be served any more. */
  private void fail(RuntimeException e) {
    lock.lock();
    try {
      if (failure == null) {
        failure = e;
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    queue.end();
    connections.forEach(connection -> connection.shutdown("the tap failed"));
  }

  /**
   * Waits until so many connections have come and gone, and all of them was told, or the tap is
   * closed.
   *
   * @throws RuntimeException what the observer threw; the tap is of no use then
   */
  public void await(int count) {
    lock.lock();
    try {
      while (over < count && !isTold && failure == null) {
        changed.awaitUninterruptibly();
      }
      if (failure != null) {
        throw failure;
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Ends all connections, tells what is left to tell, and removes the path. Idempotent; a second
   * call waits for the first.
   */
  @Override
  public void close() {
    if (isClosed.compareAndSet(false, true)) {
      listener.shutdown();
      join(acceptor);
      for (var connection : connections) {
        connection.shutdown("the tap was closed");
        connection.join();
      }
      listener.close();
      try {
        Files.deleteIfExists(path);
      } catch (IOException e) {
        System.getLogger("io.jvfio")
            .log(System.Logger.Level.WARNING, "{0} could not be removed: {1}", path, e);
      }
      queue.end();
    }
    join(teller);
  }

  private static void join(Thread thread) {
    boolean isInterrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        isInterrupted = true;
      }
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public String toString() {
    return "tap at %s of %s".formatted(path, server);
  }
}
