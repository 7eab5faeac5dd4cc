// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.wire.MessageDescriptor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 120, unit = TimeUnit.SECONDS)
class UserTapTest {
  private static final int[] NONE = {};

  private final Arena arena = Arena.ofShared();
  private final Told told = new Told();
  private final Path directory;
  private UnixSocket listener;
  private UserTap tap;

  UserTapTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @BeforeEach
  void listen() throws ErrnoException {
    listener = UnixSocket.listen(LinuxKernel.instance(), server().toString(), 0600);
    tap = UserTap.listen(path(), server(), told);
  }

  @AfterEach
  void close() {
    tap.close();
    listener.close();
    arena.close();
  }

  private Path path() {
    return directory.resolve("tap");
  }

  private Path server() {
    return directory.resolve("server");
  }

  /** What the tap told, in its order. */
  private static final class Told implements TapObserver {
    private final List<String> lines = Collections.synchronizedList(new ArrayList<>());
    private final List<TapMessage> messages = Collections.synchronizedList(new ArrayList<>());

    @Override
    public void connected(int connection, long nanos) {
      lines.add(connection + " connected");
    }

    @Override
    public void message(TapMessage message) {
      messages.add(message);
      var bytes = MemorySegment.ofArray(message.bytes());
      lines.add(
          "%d %s%s %d bytes%s"
              .formatted(
                  message.connection(),
                  message.isTwin() ? "twin " : "",
                  message.direction().arrow(),
                  bytes.byteSize(),
                  message.descriptors().stream()
                      .map(descriptor -> " " + descriptor.kind().id())
                      .collect(Collectors.joining())));
    }

    @Override
    public void disconnected(int connection, long nanos, String reason) {
      lines.add(connection + " disconnected: " + reason);
    }
  }

  private UnixSocket client() throws ErrnoException {
    return UnixSocket.connect(LinuxKernel.instance(), path().toString());
  }

  private MemorySegment segment(byte[] bytes) {
    return arena.allocate(bytes.length, 8).copyFrom(MemorySegment.ofArray(bytes));
  }

  private void send(UnixSocket socket, byte[] message, int... fds) {
    assertThat(socket.send(segment(message), fds, fds.length)).isEqualTo(message.length);
  }

  /** Receives so many bytes, which must come in as many pieces as descriptors make of them. */
  private byte[] receive(UnixSocket socket, int size, int[] fds) {
    var memory = arena.allocate(size, 8);
    long at = 0;
    int received = 0;
    while (at < size) {
      long result = socket.receive(memory, at, size - at, fds, received, true);
      assertThat(result).isPositive();
      at += result;
      received += socket.received();
    }
    return memory.toArray(ValueLayout.JAVA_BYTE);
  }

  private static long openFiles() throws IOException {
    try (var files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    }
  }

  private static byte[] version(String json) {
    return Bytes.header(1, 1, 1, 0).u16(0).u16(1).text(json).bytes(0).message();
  }

  @Test
  void passesOnEveryByteAndTellsMessagesInTheirOrder() throws Exception {
    try (var client = client();
        var server = listener.accept()) {
      var random = new Random(3);
      for (int i = 0; i < 200; i++) {
        var message = Bytes.header(i, 10, 0, 0);
        for (int size = random.nextInt(300); size > 0; size--) {
          message.bytes(size);
        }
        var bytes = message.message();
        send(client, bytes);
        assertThat(receive(server, bytes.length, NONE)).isEqualTo(bytes);
        var reply = Bytes.header(i, 10, 1, 0).message();
        send(server, reply);
        assertThat(receive(client, reply.length, NONE)).isEqualTo(reply);
      }
    }
    tap.await(1);
    assertThat(told.messages).hasSize(400);
    for (int i = 0; i < 400; i++) {
      assertThat(told.messages.get(i).direction())
          .isEqualTo(i % 2 == 0 ? MessageDirection.TO_SERVER : MessageDirection.TO_CLIENT);
    }
    assertThat(told.messages).isSortedAccordingTo((a, b) -> Long.compare(a.nanos(), b.nanos()));
    assertThat(told.lines).startsWith("1 connected");
    assertThat(told.lines.getLast()).startsWith("1 disconnected: the ");
  }

  @Test
  void passesOnDescriptorsWithTheMessageThatTheyCameWith() throws Exception {
    int event = LinuxKernel.instance().eventFd(0, 0);
    int memory = LinuxKernel.instance().memoryFile("ram", 0, 4096);
    try (var client = client();
        var server = listener.accept()) {
      var plain = Bytes.header(1, 13, 0, 0).message();
      var set = Bytes.header(2, 8, 0, 0).u32(20).u32(0x24).u32(0).u32(0).u32(2).message();
      send(client, plain);
      send(client, set, event, memory);
      send(client, plain);
      var fds = new int[4];
      assertThat(receive(server, plain.length, fds)).isEqualTo(plain);
      assertThat(server.received()).isZero();
      assertThat(receive(server, 16, fds)).isEqualTo(java.util.Arrays.copyOf(set, 16));
      assertThat(server.received()).as("beside the first byte").isEqualTo(2);
      assertThat(MessageDescriptor.ofOpen(fds[0]).kind()).isEqualTo(MessageDescriptor.Kind.EVENTFD);
      assertThat(MessageDescriptor.ofOpen(fds[1]).name()).isEqualTo("ram");
      receive(server, set.length - 16, new int[0]);
      receive(server, plain.length, new int[0]);
      LinuxKernel.instance().close(fds[0]);
      LinuxKernel.instance().close(fds[1]);
    }
    tap.await(1);
    assertThat(told.lines)
        .containsSequence(
            "1 connected", "1 -> 16 bytes", "1 -> 36 bytes eventfd memfd", "1 -> 16 bytes");
    LinuxKernel.instance().close(event);
    LinuxKernel.instance().close(memory);
  }

  @Test
  void listensToATwinSocketToo() throws Exception {
    try (var client = client();
        var server = listener.accept()) {
      var hello = version("{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}");
      send(client, hello);
      receive(server, hello.length, NONE);
      var pair = UnixSocket.pair(LinuxKernel.instance());
      var reply =
          version("{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}");
      send(server, reply, pair.first().fd());
      pair.first().close();
      var fds = new int[1];
      assertThat(receive(client, reply.length, fds)).isEqualTo(reply);
      try (var twin = UnixSocket.adopt(LinuxKernel.instance(), fds[0]);
          var serversTwin = pair.second()) {
        var read = Bytes.header(9, 11, 0, 0).u64(0x1000).u64(4).message();
        send(serversTwin, read);
        assertThat(receive(twin, read.length, NONE)).isEqualTo(read);
        var data = Bytes.header(9, 11, 1, 0).u64(0x1000).u64(4).u32(7).message();
        send(twin, data);
        assertThat(receive(serversTwin, data.length, NONE)).isEqualTo(data);
      }
      // Without a twin socket the connection goes on.
      var reset = Bytes.command(13).message();
      send(client, reset);
      assertThat(receive(server, reset.length, NONE)).isEqualTo(reset);
    }
    tap.await(1);
    assertThat(told.lines)
        .containsSubsequence("1 <- 85 bytes socket", "1 twin <- 32 bytes", "1 twin -> 36 bytes");
  }

  @Test
  void passesOnAFirstReplyThatIsNoVersion() throws Exception {
    try (var client = client();
        var server = listener.accept()) {
      var strange = Bytes.header(1, 1, 1, 0).message();
      send(server, java.util.Arrays.copyOf(strange, 7));
      send(server, java.util.Arrays.copyOfRange(strange, 7, 16));
      assertThat(receive(client, 16, NONE)).isEqualTo(strange);
      var claims =
          version("{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":3}}}");
      send(server, claims);
      assertThat(receive(client, claims.length, NONE)).isEqualTo(claims);
    }
    try (var client = client();
        var server = listener.accept()) {
      var claims =
          version("{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":3}}}");
      send(server, claims);
      assertThat(receive(client, claims.length, NONE)).isEqualTo(claims);
    }
    tap.await(2);
  }

  @Test
  void passesOnWhatIsNoMessage() throws Exception {
    try (var client = client();
        var server = listener.accept()) {
      var garbage = new byte[100_000];
      java.util.Arrays.fill(garbage, (byte) 0xff);
      var sender = Thread.ofPlatform().start(() -> send(client, garbage));
      assertThat(receive(server, garbage.length, NONE)).isEqualTo(garbage);
      sender.join();
      // An end in the middle of a message is one for the other side, too.
      send(server, java.util.Arrays.copyOf(version("{}"), 18));
    }
    tap.await(1);
    assertThat(told.lines).contains("1 -> 16 bytes", "1 <- 18 bytes");
  }

  @Test
  void servesManyClientsOneAfterTheOtherAndAtOnce() throws Exception {
    long before = openFiles();
    for (int i = 0; i < 50; i++) {
      try (var client = client();
          var server = listener.accept()) {
        var message = Bytes.header(i, 13, 0, 0).message();
        send(client, message);
        receive(server, message.length, NONE);
      }
    }
    tap.await(50);
    assertThat(openFiles()).isLessThanOrEqualTo(before + 1);
    try (var first = client();
        var firstServer = listener.accept();
        var second = client();
        var secondServer = listener.accept()) {
      var message = Bytes.command(13).message();
      send(second, message);
      receive(secondServer, message.length, NONE);
      send(first, message);
      receive(firstServer, message.length, NONE);
    }
    tap.await(52);
    assertThat(told.lines.stream().filter(line -> line.endsWith("16 bytes"))).hasSize(52);
  }

  @Test
  void tellsThatThereIsNoServerAndGoesOn() throws Exception {
    listener.close();
    Files.delete(server());
    try (var client = client()) {
      assertThat(client.receive(arena.allocate(8), NONE)).isZero();
    }
    tap.await(1);
    assertThat(told.lines.getLast()).contains("1 disconnected: there is no server:", "ENOENT");
    listener = UnixSocket.listen(LinuxKernel.instance(), server().toString(), 0600);
    try (var client = client();
        var server = listener.accept()) {
      send(client, Bytes.command(13).message());
      receive(server, 16, NONE);
    }
    tap.await(2);
  }

  @Test
  void doesNotWaitForEverForAServerThatTakesNobody() throws Exception {
    var waiting = new ArrayList<UnixSocket>();
    var other = directory.resolve("other");
    try (var impatient =
        UserTap.listen(LinuxKernel.instance(), other, server(), Duration.ofMillis(100), told)) {
      assertThatThrownBy(
              () -> {
                while (true) {
                  waiting.add(UnixSocket.connect(LinuxKernel.instance(), server().toString(), 50));
                }
              })
          .isInstanceOfSatisfying(
              ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EAGAIN));
      try (var _ = UnixSocket.connect(LinuxKernel.instance(), other.toString())) {
        impatient.await(1);
      }
      assertThat(told.lines.getLast()).contains("1 disconnected: the server takes nobody:");
    } finally {
      waiting.forEach(UnixSocket::close);
    }
  }

  @Test
  void isItsOwnersOnlyAndLeavesNothing() throws Exception {
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path())))
        .isEqualTo("rw-------");
    assertThatThrownBy(() -> UserTap.listen(path(), server(), told))
        .isInstanceOfSatisfying(
            VfioException.class, e -> assertThat(e.errno()).contains(Errno.EADDRINUSE));
    try (var client = client();
        var server = listener.accept()) {
      var waiter = Thread.ofPlatform().start(() -> tap.await(1000));
      tap.close();
      tap.close();
      waiter.join();
      assertThat(client.receive(arena.allocate(8), NONE)).isZero();
      assertThat(server.receive(arena.allocate(8), NONE)).isZero();
    }
    assertThat(path()).doesNotExist();
    assertThat(told.lines).containsExactly("1 connected", "1 disconnected: the tap was closed");
  }

  @Test
  void tellsWhoWaitsThatTheObserverFailed() throws Exception {
    tap.close();
    tap =
        UserTap.listen(
            path(),
            server(),
            _ -> {
              throw new IllegalStateException("disk full");
            });
    try (var client = client();
        var server = listener.accept()) {
      send(client, Bytes.command(13).message());
      assertThatThrownBy(() -> tap.await(1)).hasMessage("disk full");
      while (server.receive(arena.allocate(64), NONE) > 0) {
        // what was on its way
      }
    }
  }

  @Test
  void recordsWhatItTells() throws Exception {
    tap.close();
    var file = directory.resolve("recording");
    int event = LinuxKernel.instance().eventFd(0, 0);
    try (var writer = RecordingWriter.create(file)) {
      tap = UserTap.listen(path(), server(), writer);
      try (var client = client();
          var server = listener.accept()) {
        send(client, Bytes.command(13).message(), event);
        receive(server, 16, new int[1]);
      }
      tap.await(1);
    }
    LinuxKernel.instance().close(event);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
    var again = new Told();
    try (var recording = UserRecording.open(file)) {
      assertThat(recording.replayTo(again)).isEmpty();
    }
    assertThat(again.lines).startsWith("1 connected", "1 -> 16 bytes eventfd").hasSize(3);
  }
}
