// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.peer.PeerException;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.Payload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Plays one side of a recording to whoever has the other side now, and tells where that does not do
 * what was recorded.
 *
 * <p>Connections are played one after the other, in the order in which they began. Descriptors are
 * made anew: memory of the recorded size, without what was in it, and eventfds. As the client, each
 * message is sent when all answers are there that had come before it; commands of the server, which
 * come when its device likes, get the answers that were recorded for them. As the server, each
 * command gets the answer that was recorded for the same one, or for the next of its kind.
 *
 * <p>The recording stays in its file: what is in memory has a bound, however long the recording is.
 * An answer is looked for among the 65,536 messages behind its command.
 */
public final class UserReplay implements AutoCloseable {
  private static final int ONLY_OWNER = 0600;
  private static final int MAX_DIFFERENCES = 10_000;

  /** How long either side of a difference is, in characters. */
  private static final int MAX_TEXT = 1000;

  /** The longest file that is made for memory; it takes room only where it is written. */
  private static final long MAX_MEMORY = 1L << 42;

  private final Kernel kernel = LinuxKernel.instance();
  private final UserRecording recording;
  private final Duration patience;
  private final boolean ignoresData;
  private final List<ReplayDifference> differences = new ArrayList<>();
  private final Object closing = new Object();
  private @Nullable UnixSocket listener;
  private boolean isClosed;
  private long left;
  private long sent;
  private long compared;

  /**
   * A replay.
   *
   * @param recording what is played; it stays the caller's
   * @param patience how long an answer is waited for
   * @param ignoresData whether data of the device may differ
   */
  public UserReplay(UserRecording recording, Duration patience, boolean ignoresData) {
    this.recording = recording;
    this.patience = patience;
    this.ignoresData = ignoresData;
  }

  /** Before anything is sent: the whole recording makes sense. */
  private void check() throws IOException {
    if (!recording.isFile()) {
      throw new IOException("it is read more than once, so it has to be a file");
    }
    if (recording.order() != ByteOrder.nativeOrder()) {
      throw new IOException("it was recorded on a machine of the other byte order");
    }
    var records = recording.cursor();
    while (records.next() != null) {
      // Each is looked at.
    }
  }

  /**
   * Plays the client to a server.
   *
   * @throws IOException if the recording cannot be read
   * @throws VfioException if there is no server
   */
  public ReplayReport asClient(Path server) throws IOException {
    check();
    int played = 0;
    var connections = ReplayConnection.all(recording);
    for (var next = connections.next(); next != null; next = connections.next()) {
      UnixSocket socket;
      try {
        socket = WirePeer.connect(kernel, server.toString(), patience);
      } catch (ErrnoException e) {
        throw new VfioException(
            "connect",
            server.toString(),
            e.errno(),
            "There is no server.",
            "Start one that listens there.");
      }
      try (var client = new ClientSide(next, new WirePeer(socket, patience))) {
        client.play();
      }
      played++;
    }
    return report(played);
  }

  /**
   * Plays the server to as many clients as were recorded, and then ends.
   *
   * @param listen where clients connect to; made with mode 0600, and removed at the end
   * @throws IOException if the recording cannot be read
   * @throws VfioException if it cannot listen there
   */
  public ReplayReport asServer(Path listen) throws IOException {
    check();
    UnixSocket socket;
    try {
      socket = UnixSocket.listen(kernel, listen.toString(), ONLY_OWNER);
    } catch (ErrnoException e) {
      throw UserTap.cannotListen(listen, e.errno());
    }
    int played = 0;
    try (socket) {
      begin(socket);
      var connections = ReplayConnection.all(recording);
      for (var next = connections.next(); next != null; next = connections.next()) {
        var client = accept(socket);
        if (client.isEmpty()) {
          break;
        }
        played++;
        try (var server = new ServerSide(next, new WirePeer(client.get(), patience))) {
          server.play();
        }
      }
    } finally {
      end();
      Files.deleteIfExists(listen);
    }
    return report(played);
  }

  private void begin(UnixSocket socket) {
    synchronized (closing) {
      listener = socket;
      if (isClosed) {
        socket.shutdown();
      }
    }
  }

  private void end() {
    synchronized (closing) {
      listener = null;
    }
  }

  private static Optional<UnixSocket> accept(UnixSocket listener) {
    try {
      return Optional.of(listener.accept());
    } catch (ErrnoException e) {
      return Optional.empty(); // closed meanwhile
    }
  }

  /** Ends a wait for the next client. May be called by any thread. */
  @Override
  public void close() {
    synchronized (closing) {
      isClosed = true;
      if (listener != null) {
        listener.shutdown();
      }
    }
  }

  private ReplayReport report(int connections) {
    return new ReplayReport(connections, sent, compared, differences, left);
  }

  private static byte[] withId(byte[] message, int id) {
    var copy = message.clone();
    Header.ID.put(ByteBuffer.wrap(copy).order(ByteOrder.nativeOrder()), 0, id);
    return copy;
  }

  /** One of the two sides of a connection. */
  private abstract class Side implements AutoCloseable {
    final ReplayConnection connection;
    final WirePeer main;
    @Nullable WirePeer twin;

    /** Which socket the last message came from, and the descriptors that came with it. */
    WirePeer from;

    private List<Integer> last = List.of();
    private final int[] ready = new int[2];
    private int epoll = -1;

    Side(ReplayConnection connection, WirePeer main) {
      this.connection = connection;
      this.main = main;
      this.from = main;
    }

    void differs(
        int message,
        String command,
        String field,
        ReplayDifference.Kind kind,
        String recorded,
        String came) {
      if (kind == ReplayDifference.Kind.DATA && ignoresData) {
        return;
      }
      if (differences.size() == MAX_DIFFERENCES) {
        left++;
        return;
      }
      differences.add(
          new ReplayDifference(
              connection.number(),
              message,
              command,
              field,
              kind,
              shortened(recorded),
              shortened(came)));
    }

    private static String shortened(String text) {
      return text.length() <= MAX_TEXT
          ? text
          : "%s\u2026 %,d characters more"
              .formatted(text.substring(0, MAX_TEXT), text.length() - MAX_TEXT);
    }

    static DecodedMessage decoded(
        MessageDirection direction, byte[] message, List<MessageDescriptor> descriptors) {
      return new MessageDecoder().decode(direction, message, descriptors, 0);
    }

    byte[] bytes(ReplayMessage message) throws IOException {
      return recording.bytes(message.entry());
    }

    DecodedMessage recorded(ReplayMessage message) throws IOException {
      return decoded(message.direction(), bytes(message), message.entry().descriptors());
    }

    static DecodedMessage came(MessageDirection direction, WirePeer.Message message) {
      return decoded(
          direction,
          message.bytes(),
          message.fds().stream().map(MessageDescriptor::ofOpen).toList());
    }

    /** Tells in what a message is not as the recorded one. */
    void compare(ReplayMessage recorded, WirePeer.Message message) throws IOException {
      compared++;
      var before = recorded(recorded);
      var now = came(recorded.direction(), message);
      int number = recorded.number();
      if (!before.command().equals(now.command()) || before.type() != now.type()) {
        differs(
            number,
            before.command(),
            "command",
            ReplayDifference.Kind.FIELD,
            before.command() + " " + before.type().id(),
            now.command() + " " + now.type().id());
        return;
      }
      if (!before.error().equals(now.error())) {
        differs(
            number,
            before.command(),
            "error",
            ReplayDifference.Kind.FIELD,
            before.error().map(Errno::symbol).orElse("none"),
            now.error().map(Errno::symbol).orElse("none"));
        return;
      }
      if (!before.flags().equals(now.flags())) {
        differs(
            number,
            before.command(),
            "flags of the header",
            ReplayDifference.Kind.FIELD,
            String.join("|", before.flags()),
            String.join("|", now.flags()));
      }
      compareFields(number, before, now);
      compareDescriptors(number, before, now);
    }

    /** Tells of a message that was not recorded. */
    void unexpected(WirePeer.Message message, MessageDirection direction, String field) {
      var now = came(direction, message);
      differs(
          0, now.command(), field, ReplayDifference.Kind.UNEXPECTED, "nothing", now.toText(false));
    }

    private void compareFields(int number, DecodedMessage before, DecodedMessage now) {
      for (var field : before.fields()) {
        var other = field(now, field.name());
        if (other == null || !other.equals(field.value())) {
          differs(
              number,
              before.command(),
              field.name(),
              kind(field.name(), field.value()),
              field.value().text(false),
              other == null ? "nothing" : other.text(false));
        }
      }
      for (var field : now.fields()) {
        if (field(before, field.name()) == null) {
          differs(
              number,
              before.command(),
              field.name(),
              kind(field.name(), field.value()),
              "nothing",
              field.value().text(false));
        }
      }
    }

    private static @Nullable MessageValue field(DecodedMessage message, String name) {
      return message.fields().stream()
          .filter(field -> field.name().equals(name))
          .map(MessageField::value)
          .findFirst()
          .orElse(null);
    }

    /** Room that is kept for an answer may be larger; data are the device's. */
    private static ReplayDifference.Kind kind(String name, MessageValue value) {
      return value instanceof MessageValue.Data || name.equals("argsz")
          ? ReplayDifference.Kind.DATA
          : ReplayDifference.Kind.FIELD;
    }

    private void compareDescriptors(int number, DecodedMessage before, DecodedMessage now) {
      var recordedKinds = kinds(before);
      var kinds = kinds(now);
      if (!recordedKinds.equals(kinds)) {
        differs(
            number,
            before.command(),
            "descriptors",
            ReplayDifference.Kind.FIELD,
            recordedKinds.toString(),
            kinds.toString());
      }
    }

    /** Memory is memory, whether it has a path or not. */
    private static List<String> kinds(DecodedMessage message) {
      return message.descriptors().stream()
          .map(
              descriptor ->
                  descriptor.kind() == MessageDescriptor.Kind.FILE
                      ? MessageDescriptor.Kind.MEMORY.id()
                      : descriptor.kind().id())
          .toList();
    }

    WirePeer peer(boolean isTwin) {
      return isTwin && twin != null ? twin : main;
    }

    void send(UserRecording.Entry entry, byte[] message) {
      send(entry, message, -1, -1);
    }

    /** Sends a message with new descriptors, and one of them in the place of another. */
    void send(UserRecording.Entry entry, byte[] message, int index, int fd) {
      var fds = new int[entry.descriptors().size()];
      Arrays.fill(fds, -1);
      try {
        for (int i = 0; i < fds.length; i++) {
          fds[i] = make(entry.descriptors().get(i));
        }
        var sending = fds.clone();
        if (index >= 0) {
          sending[index] = fd;
        }
        peer(entry.isTwin()).send(message, sending);
        sent++;
      } finally {
        for (int made : fds) {
          if (made >= 0) {
            kernel.close(made);
          }
        }
      }
    }

    private int make(MessageDescriptor descriptor) {
      long byteSize = Math.min(descriptor.byteSize().orElse(0), MAX_MEMORY);
      int fd =
          switch (descriptor.kind()) {
            case MEMORY, FILE -> kernel.memoryFile("jvfio-replay", 0, byteSize);
            case EVENTFD -> kernel.eventFd(0, 0);
            case SOCKET, OTHER -> kernel.open("/dev/null", Kernel.O_RDWR);
          };
      if (fd < 0) {
        throw new VfioException(
            "making a descriptor",
            descriptor.text(),
            Errno.ofResult(fd),
            "The recording has one that cannot be made here.",
            "");
      }
      return fd;
    }

    /** The descriptors of the last message are wanted later. */
    void keep() {
      last = List.of();
    }

    /** The next message of either socket, if there is one now. */
    Optional<WirePeer.Message> poll() {
      from.discard(last);
      last = List.of();
      // What came over the twin socket came before the end of the other one.
      var message = twin == null ? Optional.<WirePeer.Message>empty() : pollTwin(twin);
      if (message.isEmpty()) {
        from = main;
        message = main.poll();
      }
      message.ifPresent(one -> last = one.fds());
      return message;
    }

    /** The next message of either socket. */
    WirePeer.Message next() {
      return next(patience);
    }

    /** The same, within another time. */
    WirePeer.Message next(Duration time) {
      long end = System.nanoTime() + time.toNanos();
      while (true) {
        var message = poll();
        if (message.isPresent()) {
          return message.get();
        }
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          throw new PeerException(
              false, "did not answer within " + MessageText.duration(time.toNanos()));
        }
        awaitEither((int) Math.min(left, Integer.MAX_VALUE));
      }
    }

    private void awaitEither(int millis) {
      if (epoll < 0) {
        epoll = required("epoll_create1", kernel.epollCreate());
        watch(main);
      }
      kernel.epollWait(epoll, ready, millis);
    }

    private void watch(WirePeer peer) {
      required(
          "epoll_ctl", kernel.epollControl(epoll, Kernel.EPOLL_CTL_ADD, peer.fd(), Kernel.EPOLLIN));
    }

    private static int required(String operation, int result) {
      if (result < 0) {
        throw new VfioException(
            operation, "the replay", Errno.ofResult(result), "Nobody can be waited for.", "");
      }
      return result;
    }

    /** From now on there is another socket; it leaves the set of those to wait for when closed. */
    void twin(WirePeer peer) {
      twin = peer;
      if (epoll < 0) {
        epoll = required("epoll_create1", kernel.epollCreate());
        watch(main);
      }
      watch(peer);
    }

    /** Who closes the twin socket still has the other one. */
    private Optional<WirePeer.Message> pollTwin(WirePeer socket) {
      try {
        var message = socket.poll();
        if (message.isPresent()) {
          from = socket;
        }
        return message;
      } catch (PeerException e) {
        if (!e.isGone()) {
          throw e;
        }
        socket.close();
        twin = null;
        return Optional.empty();
      }
    }

    @Override
    public void close() {
      main.close();
      if (twin != null) {
        twin.close();
      }
      if (epoll >= 0) {
        kernel.close(epoll);
      }
    }
  }

  /** Sends what the client has sent. */
  private final class ClientSide extends Side {
    /** As many replies that nobody waits for yet are kept. */
    private static final int MOST_EARLY = 4096;

    private static final int MOST_EARLY_BYTES = 16 << 20;

    private final ReplayConnection.Cursor messages;

    /** Runs ahead to the commands of the server, which may come early. */
    private final ReplayConnection.Cursor ofServer;

    private final ReplyFinder replies;
    private final Deque<WirePeer.Message> early = new ArrayDeque<>();
    private long earlyBytes;

    /** The last recorded command of the server that was met, or is not waited for any more. */
    private int metOfServer;

    ClientSide(ReplayConnection connection, WirePeer main) throws IOException {
      super(connection, main);
      messages = connection.cursor();
      ofServer = connection.cursor();
      replies = new ReplyFinder(connection, MessageDirection.TO_SERVER);
    }

    void play() throws IOException {
      for (var message = messages.next(); message != null; message = messages.next()) {
        try {
          if (message.direction() == MessageDirection.TO_SERVER) {
            if (!message.isReply()) {
              takeWaiting();
              send(message.entry(), bytes(message));
            }
          } else if (message.isReply()) {
            compare(message, reply(message.id()));
          } else {
            awaitCommand(message);
          }
        } catch (PeerException e) {
          differs(
              message.number(),
              recorded(message).command(),
              message.direction() == MessageDirection.TO_SERVER ? "sending" : "answer",
              ReplayDifference.Kind.MISSING,
              "as it was",
              "the server " + e.getMessage());
          return;
        }
      }
    }

    /** A server that is not listened to stops listening, when its answers fill the socket. */
    private void takeWaiting() throws IOException {
      for (var message = poll(); message.isPresent(); message = poll()) {
        take(message.get());
      }
    }

    /** Answers a command, or keeps a reply. */
    private void take(WirePeer.Message message) throws IOException {
      if (!message.isReply()) {
        answer(message);
        return;
      }
      keep();
      early.add(message);
      earlyBytes += message.bytes().length;
      while (early.size() > MOST_EARLY || (earlyBytes > MOST_EARLY_BYTES && early.size() > 1)) {
        var oldest = early.remove();
        earlyBytes -= oldest.bytes().length;
        unexpected(oldest, MessageDirection.TO_CLIENT, "reply");
        main.discard(oldest.fds());
      }
    }

    /**
     * Waits for a command of the server. Once the server has answered what was recorded after it,
     * it is given a moment more, since it may come over the twin socket, and then taken for
     * missing.
     */
    private void awaitCommand(ReplayMessage command) throws IOException {
      boolean isLate = false;
      while (metOfServer < command.number()) {
        WirePeer.Message message;
        try {
          message = next(isLate ? WirePeer.MOMENT : patience);
        } catch (PeerException e) {
          if (!isLate || e.isGone()) {
            throw e;
          }
          metOfServer = command.number();
          var recorded = recorded(command);
          differs(
              command.number(),
              recorded.command(),
              "command",
              ReplayDifference.Kind.MISSING,
              recorded.toText(false),
              "the answer to what had caused it");
          return;
        }
        isLate |= message.isReply();
        take(message);
      }
    }

    private WirePeer.Message reply(int id) throws IOException {
      for (var message : early) {
        if (message.id() == id) {
          early.remove(message);
          earlyBytes -= message.bytes().length;
          takeTwin(message);
          return message;
        }
      }
      while (true) {
        var message = next();
        if (message.isReply() && message.id() == id) {
          takeTwin(message);
          return message;
        }
        take(message);
      }
    }

    private void takeTwin(WirePeer.Message reply) {
      int index = TwinSocket.index(reply.bytes());
      if (twin == null && index >= 0 && index < reply.fds().size()) {
        twin(
            new WirePeer(UnixSocket.adopt(kernel, main.release(reply.fds().get(index))), patience));
      }
    }

    /** A command of the server gets what was answered to the next recorded one. */
    private void answer(WirePeer.Message command) throws IOException {
      boolean isQuiet = (command.flags() & Header.NO_REPLY) != 0;
      var recorded = nextOfServer();
      if (recorded == null) {
        unexpected(command, MessageDirection.TO_CLIENT, "command");
        if (!isQuiet) {
          from.send(Payload.error(command.id(), command.command(), Errno.EINVAL.number()));
        }
        return;
      }
      metOfServer = recorded.number();
      compare(recorded, command);
      var reply = isQuiet ? Optional.<ReplayMessage>empty() : replies.take(recorded);
      if (reply.isPresent()) {
        sent++;
        from.send(withId(bytes(reply.get()), command.id()));
      }
    }

    private @Nullable ReplayMessage nextOfServer() throws IOException {
      var message = ofServer.next();
      while (message != null
          && (message.number() <= metOfServer || !message.isCommand(MessageDirection.TO_CLIENT))) {
        message = ofServer.next();
      }
      return message;
    }
  }

  /** Answers what the server has answered. */
  private final class ServerSide extends Side {
    /** How many commands that were not played are looked at. */
    private static final int AHEAD = 256;

    /** Ids have 16 bits. */
    private static final int MOST_WAITING = 1 << 16;

    /** The next commands of the client that were not played. */
    private final List<ReplayMessage> unplayed = new ArrayList<>();

    private final ReplayConnection.Cursor ofClient;
    private final ReplayConnection.Cursor ofServer;
    private final ReplyFinder repliesOfServer;
    private final ReplyFinder repliesOfClient;

    /** The last recorded command of the client of those that were played. */
    private int lastPlayed;

    /** Recorded commands of the server that were sent, whose replies are to come, by their ids. */
    private final Map<Integer, ReplayMessage> waiting = new LinkedHashMap<>();

    ServerSide(ReplayConnection connection, WirePeer main) throws IOException {
      super(connection, main);
      ofClient = connection.cursor();
      ofServer = connection.cursor();
      repliesOfServer = new ReplyFinder(connection, MessageDirection.TO_CLIENT);
      repliesOfClient = new ReplyFinder(connection, MessageDirection.TO_SERVER);
    }

    void play() throws IOException {
      try {
        while (true) {
          var message = waitForNext();
          if (message.isReply()) {
            replied(message);
          } else {
            commanded(message);
          }
        }
      } catch (PeerException e) {
        ended(e);
      }
    }

    /** A client takes its time; one that is silent is not gone. */
    private WirePeer.Message waitForNext() {
      while (true) {
        try {
          return next();
        } catch (PeerException e) {
          if (e.isGone() || isOver()) {
            throw e;
          }
        }
      }
    }

    private boolean isOver() {
      synchronized (closing) {
        return isClosed;
      }
    }

    private void ended(PeerException e) throws IOException {
      long count = unplayed.size();
      var first = unplayed.isEmpty() ? null : unplayed.getFirst();
      for (var next = nextOfClient(); next != null; next = nextOfClient()) {
        first = first == null ? next : first;
        count++;
      }
      if (first != null) {
        differs(
            first.number(),
            recorded(first).command(),
            "command",
            ReplayDifference.Kind.MISSING,
            count == 1 ? "one more command" : "%,d more commands".formatted(count),
            "the client " + e.getMessage());
      }
    }

    private @Nullable ReplayMessage nextOfClient() throws IOException {
      var message = ofClient.next();
      while (message != null && !message.isCommand(MessageDirection.TO_SERVER)) {
        message = ofClient.next();
      }
      return message;
    }

    private void commanded(WirePeer.Message command) throws IOException {
      var recorded = find(command);
      if (recorded == null) {
        unexpected(command, MessageDirection.TO_SERVER, "command");
        if ((command.flags() & Header.NO_REPLY) == 0) {
          main.send(Payload.error(command.id(), command.command(), Errno.EOPNOTSUPP.number()));
        }
        return;
      }
      unplayed.remove(recorded);
      lastPlayed = Math.max(lastPlayed, recorded.number());
      compare(recorded, command);
      if (!recorded.isQuiet()) {
        var reply = repliesOfServer.take(recorded);
        if (reply.isPresent()) {
          // What the server asked for while it carried the command out.
          commandsOfServer(reply.get().number());
          reply(reply.get().entry(), withId(bytes(reply.get()), command.id()));
        }
      }
      commandsOfServer(Integer.MAX_VALUE);
    }

    /**
     * The recorded command that is the same, or else the next of its kind, among those that are
     * next; null for none.
     */
    private @Nullable ReplayMessage find(WirePeer.Message command) throws IOException {
      for (var next = unplayed.size() < AHEAD ? nextOfClient() : null; next != null; ) {
        unplayed.add(next);
        next = unplayed.size() < AHEAD ? nextOfClient() : null;
      }
      ReplayMessage ofItsKind = null;
      var now = came(MessageDirection.TO_SERVER, command).fields();
      for (var message : unplayed) {
        if (message.command() == command.command()) {
          if (recorded(message).fields().equals(now)) {
            return message;
          }
          ofItsKind = ofItsKind == null ? message : ofItsKind;
        }
      }
      return ofItsKind;
    }

    private void reply(UserRecording.Entry entry, byte[] message) {
      int index = TwinSocket.index(message);
      if (index < 0 || index >= entry.descriptors().size() || twin != null) {
        send(entry, message);
        return;
      }
      UnixSocket.Pair pair;
      try {
        pair = UnixSocket.pair(kernel);
      } catch (ErrnoException e) {
        throw new VfioException(
            "making a twin socket", "the client", e.errno(), "The recording has one.", "");
      }
      twin = new WirePeer(pair.second(), patience);
      try (var clients = pair.first()) {
        send(entry, message, index, clients.fd());
      }
    }

    /**
     * What the server asked of its own accord up to a message, or the client's next command that
     * was not played.
     */
    private void commandsOfServer(int end) throws IOException {
      for (var message = ofServer.peek();
          message != null && message.number() < end;
          message = ofServer.peek()) {
        if (message.isCommand(MessageDirection.TO_SERVER) && message.number() > lastPlayed) {
          return;
        }
        ofServer.next();
        if (message.isCommand(MessageDirection.TO_CLIENT)) {
          send(message.entry(), bytes(message));
          if (!message.isQuiet()) {
            waitFor(message);
          }
        }
      }
    }

    private void waitFor(ReplayMessage command) {
      if (waiting.size() == MOST_WAITING) {
        waiting.clear();
      }
      waiting.putIfAbsent(command.id(), command);
    }

    private void replied(WirePeer.Message reply) throws IOException {
      var command = waiting.remove(reply.id());
      if (command == null) {
        unexpected(reply, MessageDirection.TO_SERVER, "reply");
        return;
      }
      var recorded = repliesOfClient.take(command);
      if (recorded.isPresent()) {
        compare(recorded.get(), reply);
      }
    }
  }

  @Override
  public String toString() {
    return "replay of the " + recording;
  }
}
