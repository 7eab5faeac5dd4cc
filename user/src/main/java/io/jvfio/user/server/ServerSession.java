// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.NativeMemory;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.VfioUserServerOptions;
import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MalformedMessageException;
import io.jvfio.user.wire.MessageSocket;
import io.jvfio.user.wire.VersionMessage;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One client of a server, from its first message to its last. One thread receives commands, carries
 * them out one after the other, and replies.
 *
 * <p>The device may want memory of the client's of which no descriptor came, while a command is
 * being carried out or on the thread that polls the device. Where the client's answer comes by the
 * same socket as its commands, those that come before it are kept and carried out afterwards.
 */
public final class ServerSession {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  /** What a payload may have besides data. */
  private static final int SLACK = 4096;

  /**
   * How often a polling server looks at the device for one look at the socket: while the device has
   * work, and while it has none. A look at the socket is a system call, and one at the device is
   * not.
   */
  private static final int BUSY_ROUNDS = 64;

  private static final int IDLE_ROUNDS = 8;

  /**
   * The same where the client has registers as memory: what it wants comes by them, and a look at
   * the socket is in its way. Some 50 us.
   */
  private static final int SHARED_ROUNDS = 1024;

  /** How long the socket is not looked at, however long the device works in a round. */
  private static final long LOOK_NANOS = 1_000_000;

  /** After a message the socket is looked at every time, so often in vain. */
  private static final int EAGER_LOOKS = 1000;

  private static final int MOST_FDS = UnixSocket.MAX_DESCRIPTORS;

  /** Errors of a connection that the client has caused. */
  private static final Set<Errno> THE_CLIENTS =
      Set.of(
          Errno.ECONNRESET,
          Errno.EPIPE,
          Errno.EPROTO,
          Errno.EMSGSIZE,
          Errno.ETIMEDOUT,
          Errno.EAGAIN);

  private static final String STOPPED = "The server was closed.";
  private static final String NEEDS_POLLING =
      "It closed the connection without any access to a register. An initiator that has to map"
          + " doorbells, as SPDK's, can do so where the server polls: serve with --poll"
          + " (VfioUserServerOptions.withPolling).";
  private static final String TOO_MUCH =
      "It sent more commands than are kept, and no answer to what it was asked.";

  private final ServedDevice device;
  private final DevicePoller poller;
  private final VfioUserServerOptions options;
  private final MessageSocket socket;
  private final ClientMemory memory;
  private final ClientAnswers answers;

  /** Made once, for it is asked for every message. */
  private final BooleanSupplier hasToGive;

  private final MigrationServer migration;
  private final ServedCommands commands;

  private final Incoming incoming;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment reply;
  private final int maxMessage;
  private Capabilities client = Capabilities.DEFAULTS;
  private volatile @Nullable MessageSocket twin;
  private long messages;
  private long bytes;
  private volatile boolean isAgreed;

  /** An error has ended it, after which nobody knows the device's state. */
  private boolean hasFailed;

  /** The device has been given the client's memory. */
  private boolean isConnected;

  /** Why this ends, whatever more there may be from the client; null while it goes on. */
  private volatile @Nullable String endReason;

  /** What is being carried out: a message in the socket's buffer, or one that was kept. */
  private Incoming current;

  private MemorySegment command;
  private int commandSize;

  /** A session; by the thread that will {@link #run} it. */
  public ServerSession(
      ServedDevice device,
      DevicePoller poller,
      UnixSocket connection,
      VfioUserServerOptions options) {
    this.device = device;
    this.poller = poller;
    this.options = options;
    maxMessage = options.maxDataTransfer() + SLACK;
    int patience = patienceMillis();
    socket = new MessageSocket(connection, maxMessage, options.maxMessageFds(), patience);
    reply = NativeMemory.allocate(maxMessage, Long.BYTES, arena);
    incoming = Incoming.of(socket);
    current = incoming;
    command = incoming.message();
    answers =
        new ClientAnswers(
            socket, incoming, options, device.lock::isHeldByCurrentThread, this::lost);
    hasToGive = answers::areAwaited;
    memory =
        new ClientMemory(
            connection.kernel(),
            () -> device.config().isBusMaster() && !device.isHalted(),
            answers,
            options.maxDmaMaps());
    migration =
        new MigrationServer(
            device.model(),
            memory.log(),
            new Migrated(),
            options.maxDataTransfer(),
            MigrationServer.MOST_STATE_BYTES);
    commands =
        new ServedCommands(device, memory, migration, options, reply, () -> endReason != null);
  }

  /** What a migration changes for the device's host. */
  private final class Migrated implements MigrationServer.Host {
    @Override
    public void restored() {
      device.restored();
    }

    @Override
    public void resumed() {
      int watched = device.watchIoEvents();
      if (watched < 0) {
        lost("what it signals cannot be waited for: " + Errno.ofResult(watched));
      }
      poller.request();
    }
  }

  /** How many messages came; by the session's thread. */
  public long messages() {
    return messages;
  }

  /** How many bytes these had; by the session's thread. */
  public long bytes() {
    return bytes;
  }

  /** Whether a version is agreed, so that the client is one. */
  public boolean isAgreed() {
    return isAgreed;
  }

  /** Ends it, from any thread, since the server does. */
  public void stop() {
    end(STOPPED);
  }

  /** Ends it, from any thread: nothing more is read, carried out or waited for. */
  private void end(String reason) {
    if (endReason == null) {
      endReason = reason;
    }
    socket.shutdown();
    var second = twin;
    if (second != null) {
      second.shutdown();
    }
  }

  private void lost(String reason) {
    if (endReason != null) {
      return; // that is why
    }
    LOG.log(
        Level.WARNING,
        "a client of {0} is cut off: {1}",
        device.model().getClass().getSimpleName(),
        reason);
    end("It was cut off: " + reason + ".");
  }

  /**
   * Serves the client until it goes or is sent away.
   *
   * @return why it ended, as a sentence
   */
  public String run() {
    try {
      return serve();
    } catch (Error e) {
      hasFailed = true;
      throw e;
    } finally {
      answers.end();
    }
  }

  /** Gives back everything of the client's; with the device's lock. */
  public void close() {
    if (isConnected) {
      device.disconnect(options.retainsState() && !hasFailed);
    }
    commands.close();
    var second = twin;
    if (second != null) {
      second.close();
    }
    answers.close();
    socket.close();
    arena.close();
  }

  private String serve() {
    int size = socket.receiveInTime();
    if (size <= 0) {
      return ended(size);
    }
    messages++;
    bytes += size;
    incoming.received(size);
    take(incoming);
    int result = negotiate();
    if (result < 0) {
      sendError(Errno.ofResult(result));
      return "It spoke another protocol: no version was agreed.";
    }
    int sent = answerVersion();
    if (sent < 0) {
      return ended(sent);
    }
    device.acquireFirst();
    try {
      int maxFds = Math.min(client.maxMessageFds(), MOST_FDS);
      var events = new IoEventFds(socket.kernel(), device.model(), maxFds);
      commands.begin(client.maxDataTransfer(), maxFds, events);
      isConnected = true;
      device.connect(memory, events, migration, this::end);
    } finally {
      device.lock.unlock();
    }
    isAgreed = true;
    options.listener().clientCame();
    return options.isPolling() ? poll() : await();
  }

  private int patienceMillis() {
    return (int) Math.min(Integer.MAX_VALUE, options.patience().toMillis());
  }

  private String ended(int result) {
    var known = endReason;
    if (known != null) {
      return known;
    }
    if (result == 0) {
      return commands.hasOnlyLooked() && device.couldShare()
          ? NEEDS_POLLING
          : "It closed the connection.";
    }
    var errno = Errno.ofResult(result);
    if (!THE_CLIENTS.contains(errno)) {
      LOG.log(Level.WARNING, "the connection of a client failed: {0}", errno);
    }
    return errno.equals(Errno.ECONNRESET)
        ? "It closed the connection in the middle of a message."
        : errno.equals(Errno.EPROTO)
            ? "It sent a message of a length that no message has."
            : errno.equals(Errno.EMSGSIZE)
                ? "It sent more descriptors than were agreed."
                : errno.equals(Errno.ETIMEDOUT)
                    ? "It began a message and did not end it."
                    : errno.equals(Errno.EAGAIN)
                        ? "It does not read what it is sent."
                        : "The connection failed: " + errno.symbol() + " (" + errno.text() + ").";
  }

  /** Waits in the kernel: one system call brings a command, another one its reply. */
  private String await() {
    while (true) {
      int size = socket.receive(true);
      if (size <= 0) {
        return ended(size);
      }
      var failure = receive(size);
      if (failure != null) {
        return failure;
      }
    }
  }

  /**
   * Looks at the device all the time, and at the socket now and then; or every time, if messages
   * come one after the other.
   */
  private String poll() {
    int rounds = 0;
    int eager = 0;
    long looked = System.nanoTime();
    while (true) {
      boolean worked = pollDevice();
      if (++rounds < roundsForALook(worked, eager > 0)
          && !(worked && System.nanoTime() - looked >= LOOK_NANOS)) {
        Thread.onSpinWait();
        continue;
      }
      rounds = 0;
      eager = Math.max(0, eager - 1);
      int size = socket.receive(false);
      while (size > 0) {
        eager = EAGER_LOOKS;
        var failure = receive(size);
        if (failure != null) {
          return failure;
        }
        size = socket.receive(false);
      }
      if (size != Errno.EAGAIN.result()) {
        return ended(size);
      }
      looked = System.nanoTime();
    }
  }

  private int roundsForALook(boolean worked, boolean isEager) {
    if (worked) {
      return BUSY_ROUNDS;
    }
    return isEager ? 1 : commands.hasGivenRegisters() ? SHARED_ROUNDS : IDLE_ROUNDS;
  }

  private boolean pollDevice() {
    device.acquireFirst();
    try {
      return device.poll();
    } catch (RuntimeException e) {
      device.failed("poll()", e);
      return false;
    } finally {
      device.lock.unlock();
    }
  }

  /** A message has come: a command to carry out, or the answer that the device waits for. */
  private @Nullable String receive(int size) {
    var known = endReason;
    if (known != null) {
      return known; // what had come before is not carried out any more
    }
    messages++;
    bytes += size;
    incoming.received(size);
    boolean isReply = Header.isReply(incoming.message());
    if (isReply ? !answers.take(size) : !Header.isCommand(incoming.message())) {
      return isReply
          ? "It sent a reply to nothing."
          : "It sent a message that is neither a command nor a reply.";
    }
    if (isReply && !answers.hasKept()) {
      return null;
    }
    if (!device.acquireUnless(hasToGive)) {
      return isReply || answers.keep() ? null : TOO_MUCH;
    }
    try {
      return executeAll(isReply);
    } finally {
      device.lock.unlock();
    }
  }

  /** What was kept comes first; carrying it out may take the place of what has just come. */
  private @Nullable String executeAll(boolean isReply) {
    if (!isReply) {
      if (answers.hasKept()) {
        if (!answers.keep()) {
          return TOO_MUCH;
        }
      } else {
        take(incoming);
        var failure = execute();
        if (failure != null) {
          return failure;
        }
      }
    }
    while (endReason == null) {
      var kept = answers.nextKept();
      if (kept == null) {
        break;
      }
      take(kept);
      try {
        var failure = execute();
        if (failure != null) {
          return failure;
        }
      } finally {
        kept.closeFds();
      }
    }
    return null;
  }

  private void take(Incoming message) {
    current = message;
    command = message.message();
    commandSize = message.size();
  }

  /** Carries out what {@link #command} says, and replies. */
  private @Nullable String execute() {
    int id = Header.id(command);
    int number = Header.command(command);
    boolean isSilent = Header.wantsNoReply(command);
    int result;
    try {
      result = commands.execute(current);
    } catch (RuntimeException e) {
      device.failed(name(number), e);
      result = Errno.EIO.result();
    }
    if (result < 0) {
      var errno = Errno.ofResult(result);
      options.listener().refused(name(number), errno.symbol());
      if (!isSilent) {
        Header.writeError(reply, id, number, errno.number());
        return sent(socket.send(reply, Header.SIZE));
      }
      return null;
    }
    if (isSilent) {
      return null;
    }
    Header.writeReply(reply, id, number, result);
    return sent(
        commands.replyFdCount() > 0
            ? socket.send(reply, result, commands.replyFds(), commands.replyFdCount())
            : socket.send(reply, result));
  }

  private static String name(int number) {
    var known = Command.of(number);
    return known == null ? "command " + number : known.name();
  }

  private @Nullable String sent(int result) {
    return result < 0 ? ended(result) : null;
  }

  private void sendError(Errno errno) {
    Header.writeError(reply, Header.id(command), Header.command(command), errno.number());
    // The client is sent away in any case.
    socket.send(reply, Header.SIZE);
  }

  private int negotiate() {
    if (!Header.isCommand(command)
        || Header.command(command) != Command.VERSION.number()
        || commandSize < VersionMessage.BYTES
        || socket.fdCount() > 0
        || Short.toUnsignedInt(VersionMessage.MAJOR.get(command)) != VersionMessage.KNOWN_MAJOR) {
      return Errno.EINVAL.result();
    }
    if (commandSize > VersionMessage.BYTES) {
      try {
        var json =
            command
                .asSlice(VersionMessage.BYTES, commandSize - VersionMessage.BYTES)
                .toArray(ValueLayout.JAVA_BYTE);
        if (json[json.length - 1] != 0) {
          return Errno.EINVAL.result();
        }
        client = Capabilities.parse(Arrays.copyOf(json, json.length - 1));
      } catch (MalformedMessageException _) {
        return Errno.EINVAL.result();
      }
    }
    return 0;
  }

  private int answerVersion() {
    if (client.twinSocket() && options.twinSocket() && client.maxMessageFds() > 0) {
      try {
        var pair = UnixSocket.pair(socket.kernel());
        var second = new MessageSocket(pair.first(), maxMessage, 1, patienceMillis());
        twin = second;
        var known = endReason;
        if (known != null) {
          end(known); // which did not know of this socket
        }
        answers.use(second);
        try (var theirs = pair.second()) {
          return sendVersion(new int[] {theirs.fd()}, OptionalInt.of(0));
        }
      } catch (ErrnoException e) {
        LOG.log(Level.WARNING, "no twin socket: {0}", e.getMessage());
      }
    }
    return sendVersion(new int[0], OptionalInt.empty());
  }

  private int sendVersion(int[] fds, OptionalInt twinFd) {
    answers.limit(client.maxDataTransfer());
    migration.limit(client.maxDataTransfer());
    var ours =
        new Capabilities(
            options.maxMessageFds(),
            options.maxDataTransfer(),
            options.maxDmaMaps(),
            ClientMemory.PAGE_SIZE,
            twinFd.isPresent(),
            twinFd,
            client.writeMultiple());
    var json = ours.toJson().getBytes(StandardCharsets.UTF_8);
    int size = VersionMessage.BYTES + json.length + 1;
    Header.writeReply(reply, Header.id(command), Header.command(command), size);
    VersionMessage.MAJOR.set(reply, (short) VersionMessage.KNOWN_MAJOR);
    VersionMessage.MINOR.set(
        reply,
        (short)
            Math.min(
                Short.toUnsignedInt(VersionMessage.MINOR.get(command)),
                VersionMessage.KNOWN_MINOR));
    MemorySegment.copy(json, 0, reply, ValueLayout.JAVA_BYTE, VersionMessage.BYTES, json.length);
    reply.set(ValueLayout.JAVA_BYTE, size - 1L, (byte) 0);
    return Header.wantsNoReply(command) ? 0 : socket.send(reply, size, fds, fds.length);
  }
}
