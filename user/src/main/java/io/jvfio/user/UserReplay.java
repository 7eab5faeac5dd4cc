package io.jvfio.user;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MalformedMessageException;
import io.jvfio.user.wire.VersionMessage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
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
 */
public final class UserReplay implements AutoCloseable {
  private static final int ONLY_OWNER = 0600;
  private static final int MAX_DIFFERENCES = 10_000;

  /** The longest file that is made for memory; it takes room only where it is written. */
  private static final long MAX_MEMORY = 1L << 42;

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

  /** The messages of a connection, in their order. */
  private Map<Integer, List<UserRecording.Entry>> connections() throws IOException {
    if (recording.order() != ByteOrder.nativeOrder()) {
      throw new IOException("it was recorded on a machine of the other byte order");
    }
    var connections = new TreeMap<Integer, List<UserRecording.Entry>>();
    for (var entry : recording.entries()) {
      var messages = connections.computeIfAbsent(entry.connection(), _ -> new ArrayList<>());
      // Without a header there is nothing that could be answered.
      if (entry.kind() == UserRecording.Kind.MESSAGE && entry.byteSize() >= Header.SIZE) {
        messages.add(entry);
      }
    }
    return connections;
  }

  /**
   * Plays the client to a server.
   *
   * @throws IOException if the recording cannot be read
   * @throws VfioException if there is no server
   */
  public ReplayReport asClient(Path server) throws IOException {
    var connections = connections();
    for (var connection : connections.entrySet()) {
      UnixSocket socket;
      try {
        socket = WirePeer.connect(server.toString(), patience);
      } catch (ErrnoException e) {
        throw new VfioException(
            "connect",
            server.toString(),
            e.errno(),
            "There is no server.",
            "Start one that listens there.");
      }
      try (var client =
          new ClientSide(
              connection.getKey(), connection.getValue(), new WirePeer(socket, patience))) {
        client.play();
      }
    }
    return report(connections.size());
  }

  /**
   * Plays the server to as many clients as were recorded, and then ends.
   *
   * @param listen where clients connect to; made with mode 0600, and removed at the end
   * @throws IOException if the recording cannot be read
   * @throws VfioException if it cannot listen there
   */
  public ReplayReport asServer(Path listen) throws IOException {
    var connections = connections();
    UnixSocket socket;
    try {
      socket = UnixSocket.listen(listen.toString(), ONLY_OWNER);
    } catch (ErrnoException e) {
      throw UserTap.cannotListen(listen, e.errno());
    }
    int played = 0;
    try (socket) {
      begin(socket);
      for (var connection : connections.entrySet()) {
        var client = accept(socket);
        if (client.isEmpty()) {
          break;
        }
        played++;
        try (var server =
            new ServerSide(
                connection.getKey(), connection.getValue(), new WirePeer(client.get(), patience))) {
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

  private static boolean isReply(byte[] message) {
    return (flags(message) & Header.TYPE_MASK) == Header.REPLY;
  }

  private static boolean isQuiet(byte[] message) {
    return (flags(message) & Header.NO_REPLY) != 0;
  }

  private static ByteBuffer header(byte[] message) {
    return ByteBuffer.wrap(message).order(ByteOrder.nativeOrder());
  }

  private static int id(byte[] message) {
    return Short.toUnsignedInt(header(message).getShort(0));
  }

  private static int command(byte[] message) {
    return Short.toUnsignedInt(header(message).getShort(2));
  }

  private static int flags(byte[] message) {
    return header(message).getInt(8);
  }

  private static byte[] withId(byte[] message, int id) {
    var copy = message.clone();
    header(copy).putShort(0, (short) id);
    return copy;
  }

  /** Which descriptor of a reply to VERSION is the twin socket; -1 for none. */
  private static int twinIndex(byte[] message) {
    boolean isTold =
        message.length > VersionMessage.SIZE
            && command(message) == Command.VERSION.number()
            && isReply(message)
            && (flags(message) & Header.ERROR) == 0;
    if (!isTold) {
      return -1;
    }
    int end = message[message.length - 1] == 0 ? message.length - 1 : message.length;
    try {
      var told = Capabilities.parse(Arrays.copyOfRange(message, VersionMessage.SIZE, end));
      return told.twinSocket() ? told.twinSocketFd().orElse(-1) : -1;
    } catch (MalformedMessageException e) {
      return -1;
    }
  }

  /** One of the two sides of a connection. */
  private abstract class Side implements AutoCloseable {
    final int connection;
    final List<UserRecording.Entry> entries;
    final WirePeer main;
    @Nullable WirePeer twin;

    /** Which socket the last message came from, and the descriptors that came with it. */
    WirePeer from;

    private List<Integer> last = List.of();

    Side(int connection, List<UserRecording.Entry> entries, WirePeer main) {
      this.connection = connection;
      this.entries = entries;
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
          new ReplayDifference(connection, message, command, field, kind, recorded, came));
    }

    static DecodedMessage decoded(
        MessageDirection direction, byte[] message, List<MessageDescriptor> descriptors) {
      return new MessageDecoder().decode(direction, message, descriptors, 0);
    }

    DecodedMessage recorded(int index) throws IOException {
      var entry = entries.get(index);
      return decoded(entry.direction(), recording.bytes(entry), entry.descriptors());
    }

    static DecodedMessage came(MessageDirection direction, WirePeer.Message message) {
      return decoded(
          direction,
          message.bytes(),
          message.fds().stream().map(MessageDescriptor::ofOpen).toList());
    }

    /** Tells in what a message is not as the recorded one. */
    void compare(int index, WirePeer.Message message) throws IOException {
      compared++;
      var entry = entries.get(index);
      var before = recorded(index);
      var now = came(entry.direction(), message);
      int number = index + 1;
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
            LinuxKernel.instance().close(made);
          }
        }
      }
    }

    private static int make(MessageDescriptor descriptor) {
      long byteSize = Math.min(descriptor.byteSize().orElse(0), MAX_MEMORY);
      var kernel = LinuxKernel.instance();
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

    /** The next message of either socket. */
    WirePeer.Message next() {
      from.discard(last);
      last = List.of();
      long end = System.nanoTime() + patience.toNanos();
      int epoll = LinuxKernel.instance().epollCreate();
      try {
        LinuxKernel.instance().epollControl(epoll, Kernel.EPOLL_CTL_ADD, main.fd(), Kernel.EPOLLIN);
        if (twin != null) {
          LinuxKernel.instance()
              .epollControl(epoll, Kernel.EPOLL_CTL_ADD, twin.fd(), Kernel.EPOLLIN);
        }
        while (true) {
          from = main;
          var message = main.poll();
          if (message.isEmpty() && twin != null) {
            message = pollTwin(twin);
          }
          if (message.isPresent()) {
            last = message.get().fds();
            return message.get();
          }
          long left = (end - System.nanoTime()) / 1_000_000;
          if (left <= 0) {
            throw new PeerException(
                false, "did not answer within " + MessageText.duration(patience.toNanos()));
          }
          LinuxKernel.instance().epollWait(epoll, new int[2], (int) left);
        }
      } finally {
        LinuxKernel.instance().close(epoll);
      }
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
    }
  }

  /** Sends what the client has sent. */
  private final class ClientSide extends Side {
    private final List<WirePeer.Message> early = new ArrayList<>();

    /** Recorded commands of the server from here on were not met yet. */
    private int nextOfServer;

    ClientSide(int connection, List<UserRecording.Entry> entries, WirePeer main) {
      super(connection, entries, main);
    }

    void play() throws IOException {
      for (int i = 0; i < entries.size(); i++) {
        var entry = entries.get(i);
        var message = recording.bytes(entry);
        try {
          if (entry.direction() == MessageDirection.TO_SERVER) {
            if (!isReply(message)) {
              send(entry, message);
            }
          } else if (isReply(message)) {
            compare(i, reply(id(message)));
          } else {
            while (nextOfServer <= i) {
              answer(next());
            }
          }
        } catch (PeerException e) {
          differs(
              i + 1,
              decoded(entry.direction(), message, List.of()).command(),
              entry.direction() == MessageDirection.TO_SERVER ? "sending" : "answer",
              ReplayDifference.Kind.MISSING,
              "as it was",
              "the server " + e.getMessage());
          return;
        }
      }
    }

    private WirePeer.Message reply(int id) throws IOException {
      for (var message : early) {
        if (message.id() == id) {
          early.remove(message);
          return message;
        }
      }
      while (true) {
        var message = next();
        if (!message.isReply()) {
          answer(message);
        } else if (message.id() == id) {
          takeTwin(message);
          return message;
        } else {
          early.add(message);
        }
      }
    }

    private void takeTwin(WirePeer.Message reply) {
      int index = twinIndex(reply.bytes());
      if (twin == null && index >= 0 && index < reply.fds().size()) {
        twin = new WirePeer(UnixSocket.adopt(main.release(reply.fds().get(index))), patience);
      }
    }

    /** A command of the server gets what was answered to the next recorded one. */
    private void answer(WirePeer.Message command) throws IOException {
      boolean isQuiet = (command.flags() & Header.NO_REPLY) != 0;
      for (int i = nextOfServer; i < entries.size(); i++) {
        var entry = entries.get(i);
        if (entry.direction() != MessageDirection.TO_CLIENT) {
          continue;
        }
        var recorded = recording.bytes(entry);
        if (isReply(recorded)) {
          continue;
        }
        nextOfServer = i + 1;
        compare(i, command);
        var reply = isQuiet ? Optional.<byte[]>empty() : replyTo(i, recorded);
        if (reply.isPresent()) {
          sent++;
          from.send(withId(reply.get(), command.id()));
        }
        return;
      }
      var now = came(MessageDirection.TO_CLIENT, command);
      differs(
          0,
          now.command(),
          "command",
          ReplayDifference.Kind.UNEXPECTED,
          "nothing",
          now.toText(false));
      if (!isQuiet) {
        from.send(PayloadWriter.error(command.id(), command.command(), Errno.EINVAL.number()));
      }
    }

    private Optional<byte[]> replyTo(int index, byte[] command) throws IOException {
      for (int i = index + 1; i < entries.size(); i++) {
        var entry = entries.get(i);
        if (entry.direction() == MessageDirection.TO_SERVER) {
          var message = recording.bytes(entry);
          if (isReply(message) && id(message) == id(command)) {
            return Optional.of(message);
          }
        }
      }
      return Optional.empty();
    }
  }

  /** Answers what the server has answered. */
  private final class ServerSide extends Side {
    /** How many commands that were not played are looked at. */
    private static final int AHEAD = 256;

    private final boolean[] isPlayed;
    private int firstUnplayed;

    /** Recorded commands of the server that were sent, whose replies are to come. */
    private final List<Integer> waiting = new ArrayList<>();

    ServerSide(int connection, List<UserRecording.Entry> entries, WirePeer main) {
      super(connection, entries, main);
      this.isPlayed = new boolean[entries.size()];
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
      int unplayed = 0;
      int first = -1;
      for (int i = 0; i < entries.size(); i++) {
        if (isCommand(i) && !isPlayed[i]) {
          unplayed++;
          first = first < 0 ? i : first;
        }
      }
      if (unplayed > 0) {
        differs(
            first + 1,
            recorded(first).command(),
            "command",
            ReplayDifference.Kind.MISSING,
            unplayed == 1 ? "one more command" : "%,d more commands".formatted(unplayed),
            "the client " + e.getMessage());
      }
    }

    private boolean isCommand(int index) throws IOException {
      var entry = entries.get(index);
      return entry.direction() == MessageDirection.TO_SERVER && !isReply(recording.bytes(entry));
    }

    private void commanded(WirePeer.Message command) throws IOException {
      int index = find(command);
      if (index < 0) {
        var now = came(MessageDirection.TO_SERVER, command);
        differs(
            0,
            now.command(),
            "command",
            ReplayDifference.Kind.UNEXPECTED,
            "nothing",
            now.toText(false));
        if ((command.flags() & Header.NO_REPLY) == 0) {
          main.send(
              PayloadWriter.error(command.id(), command.command(), Errno.EOPNOTSUPP.number()));
        }
        return;
      }
      isPlayed[index] = true;
      compare(index, command);
      var recorded = recording.bytes(entries.get(index));
      int after = index;
      if (!isQuiet(recorded)) {
        int reply = replyTo(index, recorded);
        if (reply >= 0) {
          var entry = entries.get(reply);
          reply(entry, withId(recording.bytes(entry), command.id()));
          after = reply;
        }
      }
      commandsOfServer(after);
    }

    /**
     * The recorded command that is the same, or else the next of its kind, among those that are
     * next; -1 for none.
     */
    private int find(WirePeer.Message command) throws IOException {
      int ofItsKind = -1;
      int seen = 0;
      var now = came(MessageDirection.TO_SERVER, command).fields();
      for (int i = firstUnplayed; i < entries.size() && seen < AHEAD; i++) {
        if (isPlayed[i] || !isCommand(i)) {
          firstUnplayed += i == firstUnplayed ? 1 : 0;
          continue;
        }
        seen++;
        if (command(recording.bytes(entries.get(i))) == command.command()) {
          if (recorded(i).fields().equals(now)) {
            return i;
          }
          ofItsKind = ofItsKind < 0 ? i : ofItsKind;
        }
      }
      return ofItsKind;
    }

    private int replyTo(int index, byte[] command) throws IOException {
      for (int i = index + 1; i < entries.size(); i++) {
        var entry = entries.get(i);
        if (entry.direction() == MessageDirection.TO_CLIENT && !isPlayed[i]) {
          var message = recording.bytes(entry);
          if (isReply(message)
              && id(message) == id(command)
              && command(message) == command(command)) {
            isPlayed[i] = true;
            return i;
          }
        }
      }
      return -1;
    }

    private void reply(UserRecording.Entry entry, byte[] message) {
      int index = twinIndex(message);
      if (index < 0 || index >= entry.descriptors().size() || twin != null) {
        send(entry, message);
        return;
      }
      UnixSocket.Pair pair;
      try {
        pair = UnixSocket.pair();
      } catch (ErrnoException e) {
        throw new VfioException(
            "making a twin socket", "the client", e.errno(), "The recording has one.", "");
      }
      twin = new WirePeer(pair.second(), patience);
      try (var clients = pair.first()) {
        send(entry, message, index, clients.fd());
      }
    }

    /** What the server asked of its own accord, up to the client's next command. */
    private void commandsOfServer(int index) throws IOException {
      for (int i = index + 1; i < entries.size(); i++) {
        var entry = entries.get(i);
        var message = recording.bytes(entry);
        if (entry.direction() == MessageDirection.TO_SERVER) {
          if (!isReply(message)) {
            return;
          }
        } else if (!isReply(message) && !isPlayed[i]) {
          isPlayed[i] = true;
          send(entry, message);
          if (!isQuiet(message)) {
            waiting.add(i);
          }
        }
      }
    }

    private void replied(WirePeer.Message reply) throws IOException {
      for (var index : waiting) {
        var command = recording.bytes(entries.get(index));
        if (id(command) != reply.id()) {
          continue;
        }
        waiting.remove((Object) index);
        for (int i = index + 1; i < entries.size(); i++) {
          var entry = entries.get(i);
          var message = recording.bytes(entry);
          if (entry.direction() == MessageDirection.TO_SERVER
              && isReply(message)
              && id(message) == reply.id()
              && !isPlayed[i]) {
            isPlayed[i] = true;
            compare(i, reply);
            return;
          }
        }
        return;
      }
      var now = came(MessageDirection.TO_SERVER, reply);
      differs(
          0,
          now.command(),
          "reply",
          ReplayDifference.Kind.UNEXPECTED,
          "nothing",
          now.toText(false));
    }
  }
}
