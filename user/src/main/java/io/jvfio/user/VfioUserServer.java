// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.model.DeviceModel;
import io.jvfio.spi.Explanation;
import io.jvfio.user.server.DevicePoller;
import io.jvfio.user.server.Patience;
import io.jvfio.user.server.Reception;
import io.jvfio.user.server.ServedDevice;
import io.jvfio.user.server.ServerSession;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
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
 * {@snippet class="io.jvfio.examples.Snippets" region="server"}
 *
 * <p>Between two clients the device is reset and all memory of the first is gone, so that no client
 * gets what another left behind. A client that breaks the protocol is sent away; the next one is
 * served.
 *
 * <p>Safe for use by several threads. Source: QEMU, {@code docs/interop/vfio-user.rst}.
 */
public final class VfioUserServer implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  /** How long a server that listens at a path may take to let somebody connect. */
  private static final int LIVE_MILLIS = 1000;

  /** How often whoever keeps a session from its end is looked for. */
  private static final int STUCK_MILLIS = 20;

  private final ServedDevice device;
  private final VfioUserServerOptions options;
  private final UnixSocket listening;
  private final String name;
  private final @Nullable Object fileKey;
  private final DevicePoller poller;
  private final Reception reception;

  /** Serves one client after the other. */
  private final Thread sessions;

  private final AtomicBoolean isClosed = new AtomicBoolean();

  /** There is no session any more, and there will be none. */
  private final CountDownLatch isIdle = new CountDownLatch(1);

  /** The device is closed, so that no kernel works for the threads that it had. */
  private final CountDownLatch isReleased = new CountDownLatch(1);

  private final CountDownLatch ended = new CountDownLatch(1);
  private final AtomicLong clients = new AtomicLong();
  private final AtomicLong messages = new AtomicLong();
  private final AtomicLong bytes = new AtomicLong();

  /** The client that there is, or null; guarded by this. */
  private @Nullable ServerSession session;

  private VfioUserServer(
      DeviceModel model, VfioUserServerOptions options, UnixSocket listening, DevicePoller poller)
      throws ErrnoException {
    this.options = options;
    this.listening = listening;
    this.poller = poller;
    name = options.socket().map(Path::toString).orElseGet(listening::toString);
    fileKey = options.socket().map(VfioUserServer::key).orElse(null);
    device = new ServedDevice(listening.kernel(), model, poller, options.isPolling());
    reception =
        new Reception(
            listening,
            options.socket().isPresent(),
            name,
            options.patience().toNanos(),
            device.interrupts()::unblock);
    sessions =
        Thread.ofPlatform().name("vfio-user " + name + " client").daemon().unstarted(this::serve);
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
  public static VfioUserServer serve(DeviceModel model, VfioUserServerOptions options) {
    return serve(LinuxKernel.instance(), model, options);
  }

  /** Serves a device through a kernel; see {@link #serve(DeviceModel, VfioUserServerOptions)}. */
  // On success everything is the server's.
  @SuppressWarnings("resource")
  static VfioUserServer serve(Kernel kernel, DeviceModel model, VfioUserServerOptions options) {
    UnixSocket listening = null;
    DevicePoller poller = null;
    try {
      listening = listen(kernel, options);
      poller = new DevicePoller(kernel);
      var server = new VfioUserServer(model, options, listening, poller);
      server.start();
      return server;
    } catch (ErrnoException e) {
      closeAll(model, poller, listening, options);
      throw new VfioException(
          "serve",
          subject(options),
          e.errno(),
          "The server cannot be set up: " + e.getMessage() + ".",
          Explanation.shortage(e.errno()).map(Explanation::nextStep).orElse(""));
    } catch (RuntimeException | Error e) {
      closeAll(model, poller, listening, options);
      throw e;
    }
  }

  private static void closeAll(
      DeviceModel model,
      @Nullable DevicePoller poller,
      @Nullable UnixSocket listening,
      VfioUserServerOptions options) {
    try {
      model.close();
    } finally {
      if (poller != null) {
        poller.close();
      }
      if (listening != null) {
        options.socket().ifPresent(VfioUserServer::remove);
        listening.close();
      }
    }
  }

  private static String subject(VfioUserServerOptions options) {
    return options
        .socket()
        .map(Path::toString)
        .orElseGet(() -> "descriptor " + options.listeningFd().orElseThrow());
  }

  private static UnixSocket listen(Kernel kernel, VfioUserServerOptions options)
      throws ErrnoException {
    if (options.socket().isEmpty()) {
      return adopt(kernel, options.listeningFd().orElseThrow());
    }
    var path = options.socket().get();
    try {
      return listen(kernel, path, options);
    } catch (ErrnoException e) {
      if (!e.errno().equals(Errno.EADDRINUSE)) {
        throw refused(path, e.errno());
      }
      makeRoom(kernel, path, options.replacesLive());
      try {
        return listen(kernel, path, options);
      } catch (ErrnoException again) {
        throw refused(path, again.errno());
      }
    }
  }

  private static UnixSocket adopt(Kernel kernel, int fd) {
    var other = UnixSocket.notListening(kernel, fd);
    if (other.isPresent()) {
      throw new VfioException(
          "accept",
          "descriptor " + fd,
          Errno.EINVAL,
          "It is " + other.get() + ".",
          "Pass a UNIX stream socket that listens already, as systemd does for a .socket unit: its"
              + " first one has the number 3.");
    }
    return UnixSocket.adopt(kernel, fd);
  }

  private static VfioException refused(Path path, Errno errno) {
    var meaning =
        Explanation.shortage(errno)
            .orElse(
                new Explanation(
                    errno.equals(Errno.ENOENT)
                        ? "There is no such directory."
                        : "No socket can be made there.",
                    "Choose another path."));
    return meaning.failure("listen", path.toString(), errno);
  }

  private static UnixSocket listen(Kernel kernel, Path path, VfioUserServerOptions options)
      throws ErrnoException {
    var group = options.group().map(name -> group(path, name));
    // For nobody, and nobody can connect before it listens: so it is given away first.
    var socket = UnixSocket.bind(kernel, path.toString(), 0);
    try {
      if (group.isPresent()) {
        give(path, group.get());
      }
      permit(kernel, path, options.mode());
      socket.listen();
      return socket;
    } catch (ErrnoException | RuntimeException e) {
      remove(path);
      socket.close();
      throw e;
    } catch (IOException e) {
      remove(path);
      socket.close();
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Sets the mode of a socket, and of nothing else that has its path by now. What can be opened of
   * a socket is no more than its place, whose mode is changed through {@code /proc}.
   */
  static void permit(Kernel kernel, Path path, int mode) throws IOException {
    int place = kernel.open(path.toString(), Kernel.O_PATH | Kernel.O_NOFOLLOW);
    if (place < 0) {
      throw refused(path, Errno.ofResult(place));
    }
    try {
      var opened = Path.of("/proc/self/fd/" + place);
      if (!Files.readAttributes(opened, BasicFileAttributes.class).isOther()) {
        throw new VfioException(
            "chmod",
            path.toString(),
            Errno.EPERM,
            "Somebody has put something else into the place of the socket.",
            "Choose a directory that nobody else may write to.");
      }
      Files.setPosixFilePermissions(opened, permissions(mode));
    } finally {
      kernel.close(place);
    }
  }

  private static GroupPrincipal group(Path path, String name) {
    try {
      return path.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByGroupName(name);
    } catch (IOException e) {
      throw new VfioException(
          "chgrp",
          path.toString(),
          Errno.EINVAL,
          "There is no group " + name + ".",
          "Name one that 'getent group' lists, or give its number.");
    }
  }

  private static void give(Path path, GroupPrincipal group) throws IOException {
    try {
      Files.getFileAttributeView(path, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
          .setGroup(group);
    } catch (FileSystemException e) {
      throw new VfioException(
          "chgrp",
          path.toString(),
          Errno.EPERM,
          "This process may not give a file to the group %s: %s."
              .formatted(group.getName(), e.getReason()),
          "Run it as a member of that group.");
    }
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
  private static void makeRoom(Kernel kernel, Path path, boolean replacesLive) {
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
      if (!replacesLive && isLive(kernel, path)) {
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

  private static boolean isLive(Kernel kernel, Path path) {
    // A server that is busy does not accept at once, and is there.
    try (var _ = UnixSocket.connect(kernel, path.toString(), LIVE_MILLIS)) {
      return true;
    } catch (ErrnoException e) {
      if (e.errno().equals(Errno.ECONNREFUSED) || e.errno().equals(Errno.ENOENT)) {
        return false;
      }
      if (e.errno().equals(Errno.EAGAIN)) {
        return true;
      }
      var meaning =
          Explanation.shortage(e.errno())
              .orElse(
                  new Explanation(
                      "It cannot be told whether another server listens there.",
                      "Choose another path, or replace whoever has this one."));
      throw meaning.failure("connect", path.toString(), e.errno());
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
    sessions.start();
    reception.start();
  }

  private void serve() {
    try {
      for (var next = reception.next(); next != null; next = reception.next()) {
        serve(next);
      }
    } finally {
      isIdle.countDown();
    }
    Patience.await(isReleased, Long.MAX_VALUE, () -> {});
  }

  /** Serves a client; nothing that comes of that keeps the next one from being served. */
  private void serve(UnixSocket connection) {
    ServerSession mine;
    try {
      mine = new ServerSession(device, poller, connection, options);
    } catch (RuntimeException | Error e) {
      failed(e);
      connection.close();
      return;
    }
    var reason = "";
    try {
      begin(mine);
      reason = mine.run();
    } catch (RuntimeException | Error e) {
      failed(e);
      reason = "Its session failed: " + ServedDevice.told(e) + ".";
    }
    try {
      end(mine, reason);
    } catch (RuntimeException | Error e) {
      failed(e);
    }
  }

  private void failed(Throwable thrown) {
    LOG.log(
        Level.ERROR,
        "the session of a client of " + name + " failed: " + ServedDevice.told(thrown),
        thrown);
  }

  private synchronized void begin(ServerSession mine) {
    session = mine;
    if (isClosed.get()) {
      mine.stop();
    }
  }

  private void end(ServerSession mine, String reason) {
    synchronized (this) {
      session = null;
    }
    device.acquireFirst();
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
   * Sends the client away, stops to listen, closes the device, and removes the socket if it is
   * still this server's: in this order, so that whoever sees the socket gone can serve what the
   * device had at once. Idempotent. A listener that calls this has it done by another thread, and
   * {@link #awaitClose} tells when.
   *
   * <p>No client can delay it. What the device itself takes to come to an end is waited for.
   */
  @Override
  public void close() {
    if (!isClosed.compareAndSet(false, true)) {
      return;
    }
    if (Thread.currentThread().equals(sessions)
        || poller.isItsThread()
        || reception.isItsThread()) {
      // A listener that is told of its client, or the device: the session has to end first.
      Thread.ofPlatform().name("vfio-user " + name + " close").start(this::end);
    } else {
      end();
    }
  }

  private void end() {
    try {
      reception.close();
      device.interrupts().silence();
      synchronized (this) {
        if (session != null) {
          session.stop();
        }
      }
      Patience.await(isIdle, STUCK_MILLIS, device.interrupts()::unblock);
      device.close();
    } finally {
      // These threads had to be there as long as the kernel worked for them.
      poller.close();
      isReleased.countDown();
      Patience.join(sessions);
      // Before it is closed: then another socket could be taken for this one.
      options.socket().ifPresent(this::removeSocket);
      listening.close();
      ended.countDown();
    }
  }

  private void removeSocket(Path path) {
    if (fileKey != null && Objects.equals(fileKey, key(path))) {
      remove(path);
    }
  }

  private static void remove(Path path) {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      LOG.log(Level.WARNING, "the socket {0} stays: {1}", path, e.getMessage());
    }
  }

  @Override
  public String toString() {
    return "vfio-user server at " + name;
  }
}
