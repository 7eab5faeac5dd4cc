package io.jvfio.user;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.model.DeviceModel;
import io.jvfio.user.wire.Header;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A device model behind a UNIX socket, for QEMU or any other client of vfio-user: one client at a
 * time, and as many over time as there come. A process may have several servers.
 *
 * <p>Between two clients the device is reset and all memory of the first is gone, so that no client
 * gets what another left behind. A client that breaks the protocol is sent away; the next one is
 * served.
 *
 * <p>Safe for use by several threads. Source: QEMU, {@code docs/interop/vfio-user.rst}.
 */
public final class VfioUserServer implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("io.jvfio");
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  /** How long a client waits for the one before it to be gone. */
  private static final int GRACE_MILLIS = 1000;

  private static final int MOST_VERSION_BYTES = 64 << 10;

  private final ServedDevice device;
  private final VfioUserServerOptions options;
  private final UnixSocket listening;
  private final String name;
  private final @Nullable Object fileKey;
  private final DevicePoller poller;
  private final Thread accepting;
  private final AtomicBoolean isClosed = new AtomicBoolean();
  private final CountDownLatch ended = new CountDownLatch(1);
  private final AtomicLong clients = new AtomicLong();
  private final AtomicLong messages = new AtomicLong();
  private final AtomicLong bytes = new AtomicLong();

  /** The client that there is, or null; guarded by this. */
  private @Nullable ServerSession session;

  /** The thread of the last session; guarded by this. */
  private @Nullable Thread sessionThread;

  private VfioUserServer(
      DeviceModel model, VfioUserServerOptions options, UnixSocket listening, DevicePoller poller) {
    this.options = options;
    this.listening = listening;
    this.poller = poller;
    name = options.socket().map(Path::toString).orElseGet(listening::toString);
    fileKey = options.socket().map(VfioUserServer::key).orElse(null);
    // Who polls all the time need not be asked to.
    device = new ServedDevice(model, poller, options.isPolling() ? () -> {} : poller::request);
    accepting = Thread.ofPlatform().name("vfio-user " + name).daemon().unstarted(this::accept);
  }

  /**
   * Serves a device at a path, whose mode is 0600.
   *
   * @param model the device; it is the server's from now on, and is closed with it or if this fails
   * @throws VfioException if it cannot listen there, with the reason
   */
  public static VfioUserServer serve(DeviceModel model, Path socket) {
    return serve(model, VfioUserServerOptions.at(socket));
  }

  /**
   * Serves a device.
   *
   * @param model the device; it is the server's from now on, and is closed with it or if this fails
   * @throws VfioException if it cannot listen, with the reason
   */
  // On success everything is the server's.
  @SuppressWarnings("resource")
  public static VfioUserServer serve(DeviceModel model, VfioUserServerOptions options) {
    UnixSocket listening = null;
    try {
      listening = listen(options);
      var server = new VfioUserServer(model, options, listening, new DevicePoller());
      server.start();
      return server;
    } catch (ErrnoException e) {
      closeAll(model, listening);
      throw new VfioException(
          "serve", subject(options), e.errno(), "The server cannot be set up.", "");
    } catch (RuntimeException e) {
      closeAll(model, listening);
      throw e;
    }
  }

  private static void closeAll(DeviceModel model, @Nullable UnixSocket listening) {
    if (listening != null) {
      listening.close();
    }
    model.close();
  }

  private static String subject(VfioUserServerOptions options) {
    return options
        .socket()
        .map(Path::toString)
        .orElseGet(() -> "descriptor " + options.listeningFd().orElseThrow());
  }

  private static UnixSocket listen(VfioUserServerOptions options) throws ErrnoException {
    if (options.socket().isEmpty()) {
      return UnixSocket.adopt(options.listeningFd().orElseThrow());
    }
    var path = options.socket().get();
    try {
      return listen(path, options.mode());
    } catch (ErrnoException e) {
      if (!e.errno().equals(Errno.EADDRINUSE)) {
        throw refused(path, e.errno());
      }
      makeRoom(path, options.replacesLive());
      try {
        return listen(path, options.mode());
      } catch (ErrnoException again) {
        throw refused(path, again.errno());
      }
    }
  }

  private static VfioException refused(Path path, Errno errno) {
    return new VfioException(
        "listen",
        path.toString(),
        errno,
        errno.equals(Errno.ENOENT) ? "There is no such directory." : "No socket can be made there.",
        "Choose another path.");
  }

  private static UnixSocket listen(Path path, int mode) throws ErrnoException {
    var socket = UnixSocket.listen(path.toString(), mode);
    try {
      // What the umask has taken from it; nobody had more than that in between.
      Files.setPosixFilePermissions(path, permissions(mode));
    } catch (IOException e) {
      socket.close();
      throw new UncheckedIOException(e);
    }
    return socket;
  }

  private static Set<PosixFilePermission> permissions(int mode) {
    var letters = new StringBuilder("rwxrwxrwx");
    for (int i = 0; i < letters.length(); i++) {
      if ((mode & (0400 >> i)) == 0) {
        letters.setCharAt(i, '-');
      }
    }
    return PosixFilePermissions.fromString(letters.toString());
  }

  /** Removes a socket that nobody listens at, or anybody if that is wished. */
  private static void makeRoom(Path path, boolean replacesLive) {
    try {
      var attributes =
          Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      if (!attributes.isOther()) {
        throw new VfioException(
            "listen",
            path.toString(),
            Errno.EADDRINUSE,
            "There is something else than a socket.",
            "Choose another path, or remove it.");
      }
      if (!replacesLive && isLive(path)) {
        throw new VfioException(
            "listen",
            path.toString(),
            Errno.EADDRINUSE,
            "Another server listens there.",
            "End it, choose another path, or replace it.");
      }
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isLive(Path path) {
    // A server that is busy does not accept at once, and is there.
    try (var _ = UnixSocket.connect(path.toString(), GRACE_MILLIS)) {
      return true;
    } catch (ErrnoException e) {
      return !e.errno().equals(Errno.ECONNREFUSED) && !e.errno().equals(Errno.ENOENT);
    }
  }

  private static @Nullable Object key(Path path) {
    try {
      return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
          .fileKey();
    } catch (IOException e) {
      return null; // somebody has removed it already
    }
  }

  private void start() {
    poller.start(device, "vfio-user " + name);
    accepting.start();
  }

  private void accept() {
    while (!isClosed.get()) {
      UnixSocket connection;
      try {
        connection = listening.accept();
        // A client that takes no replies does not hold the device for ever.
        connection.limitWaits(0, options.patience().toMillis());
      } catch (ErrnoException e) {
        if (isClosed.get()) {
          return;
        }
        LOG.log(Level.WARNING, "a client could not connect to {0}: {1}", name, e.getMessage());
        pause();
        continue;
      }
      if (!begin(connection)) {
        refuse(connection);
      }
    }
  }

  /** After a failure that may last, such as too many open files. */
  private static void pause() {
    try {
      Thread.sleep(100);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  /** Begins a session, once there is none. */
  private boolean begin(UnixSocket connection) {
    var before = sessionThread();
    if (before != null) {
      try {
        before.join(GRACE_MILLIS);
      } catch (InterruptedException _) {
        Thread.currentThread().interrupt();
      }
      if (before.isAlive()) {
        device.interrupts().unblock();
        return false;
      }
    }
    synchronized (this) {
      if (isClosed.get()) {
        return false;
      }
      sessionThread =
          Thread.ofPlatform()
              .name("vfio-user " + name + " client")
              .daemon()
              .start(() -> run(connection));
    }
    return true;
  }

  private synchronized @Nullable Thread sessionThread() {
    return sessionThread;
  }

  private void run(UnixSocket connection) {
    var mine = new ServerSession(device, poller, connection, options);
    synchronized (this) {
      session = mine;
      if (isClosed.get()) {
        mine.shutdown();
      }
    }
    var reason = "The server failed.";
    try {
      reason = mine.run();
    } catch (RuntimeException | Error e) {
      LOG.log(Level.ERROR, "the session of a client of " + name + " failed", e);
    } finally {
      synchronized (this) {
        session = null;
      }
      device.lock.lock();
      try {
        mine.close();
      } finally {
        device.lock.unlock();
      }
      messages.addAndGet(mine.messages());
      bytes.addAndGet(mine.bytes());
      if (mine.isAgreed()) {
        clients.incrementAndGet();
        options.listener().clientLeft(reason, mine.messages());
      } else {
        LOG.log(Level.DEBUG, "a connection to {0} came to nothing: {1}", name, reason);
      }
    }
  }

  /** Says to a client that there is another one. */
  private void refuse(UnixSocket connection) {
    try (var socket = new MessageSocket(connection, MOST_VERSION_BYTES, 1, GRACE_MILLIS);
        var arena = Arena.ofConfined()) {
      if (KERNEL.awaitReadable(socket.fd(), GRACE_MILLIS) > 0 && socket.receive(true) > 0) {
        var reply = arena.allocate(Header.SIZE, Long.BYTES);
        Header.writeError(
            reply,
            Header.id(socket.message()),
            Header.command(socket.message()),
            Errno.EBUSY.number());
        socket.send(reply, Header.SIZE);
      }
    }
  }

  /** How many clients have been served and are gone. */
  public long clients() {
    return clients.get();
  }

  /** How many messages clients that are gone had sent. */
  public long messages() {
    return messages.get();
  }

  /** How many bytes these messages had; what went by mapped memory is not among them. */
  public long bytes() {
    return bytes.get();
  }

  /** Signals the request interrupt of the client that there is: it should give the device back. */
  public void requestRelease() {
    // A client can keep who signals it waiting, which is not to be the caller.
    Thread.ofPlatform()
        .name("vfio-user " + name + " release")
        .daemon()
        .start(device.interrupts()::requestRelease);
  }

  /** Waits until it is closed. */
  public void awaitClose() throws InterruptedException {
    ended.await();
  }

  /**
   * Sends the client away, stops to listen, removes the socket if it is still this server's, and
   * closes the device. Idempotent. A listener that calls this has it done by another thread, and
   * {@link #awaitClose} tells when.
   */
  @Override
  public void close() {
    if (!isClosed.compareAndSet(false, true)) {
      return;
    }
    if (Thread.currentThread().equals(sessionThread())) {
      // A listener that is told of its client: the session has to end first.
      Thread.ofPlatform().name("vfio-user " + name + " close").start(this::end);
    } else {
      end();
    }
  }

  private void end() {
    try {
      listening.shutdown();
      Thread last;
      synchronized (this) {
        if (session != null) {
          session.shutdown();
        }
        last = sessionThread;
      }
      join(accepting, device);
      if (last != null) {
        join(last, device);
      }
      poller.close(device);
      listening.close();
      options.socket().ifPresent(this::removeSocket);
      device.lock.lock();
      try {
        device.model().close();
      } finally {
        device.lock.unlock();
      }
    } finally {
      ended.countDown();
    }
  }

  private void removeSocket(Path path) {
    if (fileKey != null && Objects.equals(fileKey, key(path))) {
      try {
        Files.deleteIfExists(path);
      } catch (IOException e) {
        LOG.log(Level.WARNING, "the socket {0} stays: {1}", path, e.getMessage());
      }
    }
  }

  /** Waits for a thread to end; a thread that closes from within itself does not wait. */
  static void join(Thread thread, ServedDevice device) {
    if (thread.equals(Thread.currentThread())) {
      return;
    }
    boolean isInterrupted = false;
    while (true) {
      try {
        while (!thread.join(Duration.ofSeconds(1))) {
          device.interrupts().unblock();
        }
        break;
      } catch (InterruptedException _) {
        isInterrupted = true;
      }
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public String toString() {
    return "vfio-user server at " + name;
  }
}
