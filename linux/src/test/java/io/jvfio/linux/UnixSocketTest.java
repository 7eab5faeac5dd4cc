// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.Pipe;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class UnixSocketTest {
  private static final int[] NONE = {};

  @TempDir Path directory;

  private final LinuxKernel kernel = LinuxKernel.instance();

  private static MemorySegment text(Arena arena, String text) {
    return arena.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
  }

  private static String text(MemorySegment bytes, long length) {
    return new String(
        bytes.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
  }

  private static long openDescriptors() throws IOException {
    try (var all = Files.list(Path.of("/proc/self/fd"))) {
      return all.count();
    }
  }

  @Test
  void bytesGoBothWaysBetweenAClientAndWhoAccepts() throws IOException {
    var path = directory.resolve("socket").toString();
    try (var listener = UnixSocket.listen(LinuxKernel.instance(), path, 0600);
        var client = UnixSocket.connect(LinuxKernel.instance(), path);
        var server = listener.accept();
        var arena = Arena.ofConfined()) {
      var room = arena.allocate(100);
      assertThat(client.send(text(arena, "ping"), NONE, 0)).isEqualTo(4);
      long length = server.receive(room, NONE);
      assertThat(text(room, length)).isEqualTo("ping");
      assertThat(server.received()).isZero();
      assertThat(server.send(text(arena, "pong!"), NONE, 0)).isEqualTo(5);
      assertThat(text(room, client.receive(room, NONE))).isEqualTo("pong!");
    }
  }

  @Test
  void aSocketIsForItsOwnerAlone() throws IOException {
    var path = directory.resolve("socket");
    try (var _ = UnixSocket.listen(LinuxKernel.instance(), path.toString(), 0600)) {
      assertThat(Files.getPosixFilePermissions(path))
          .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    }
  }

  @Test
  void descriptorsArriveAsDescriptorsOfTheSameFiles() throws IOException {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    int first = kernel.eventFd(7, Kernel.EFD_NONBLOCK);
    int second = kernel.memoryFile("passed", 0, 4096);
    try (var sender = pair.first();
        var receiver = pair.second();
        var arena = Arena.ofConfined()) {
      assertThat(sender.send(text(arena, "two"), new int[] {first, second}, 2)).isEqualTo(3);
      var received = new int[4];
      assertThat(receiver.receive(arena.allocate(10), received)).isEqualTo(3);
      assertThat(receiver.received()).isEqualTo(2);
      var value = arena.allocate(ValueLayout.JAVA_LONG);
      assertThat(kernel.read(received[0], value)).isEqualTo(8);
      assertThat(value.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(7);
      assertThat(kernel.pwrite(second, text(arena, "shared"), 100)).isEqualTo(6);
      var content = arena.allocate(6);
      assertThat(kernel.pread(received[1], content, 100)).isEqualTo(6);
      assertThat(text(content, 6)).isEqualTo("shared");
      kernel.close(received[0]);
      kernel.close(received[1]);
    } finally {
      kernel.close(first);
      kernel.close(second);
    }
  }

  @Test
  void descriptorsWithoutRoomAreClosedAndTold() throws IOException {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    int fd = kernel.eventFd(0, 0);
    try (var sender = pair.first();
        var receiver = pair.second();
        var arena = Arena.ofConfined()) {
      var room = arena.allocate(10);
      long before = openDescriptors();
      assertThat(sender.send(text(arena, "x"), new int[] {fd, fd, fd}, 3)).isEqualTo(1);
      assertThat(receiver.receive(room, new int[2])).isEqualTo(Errno.EMSGSIZE.result());
      assertThat(receiver.received()).isZero();
      assertThat(openDescriptors()).isEqualTo(before);
    } finally {
      kernel.close(fd);
    }
  }

  @Test
  void asManyDescriptorsAsTheKernelTakesArrive() throws IOException {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    int fd = kernel.eventFd(0, 0);
    try (var sender = pair.first();
        var receiver = pair.second();
        var arena = Arena.ofConfined()) {
      var sent = new int[UnixSocket.MAX_DESCRIPTORS];
      java.util.Arrays.fill(sent, fd);
      assertThat(sender.send(text(arena, "many"), sent, sent.length)).isEqualTo(4);
      var received = new int[UnixSocket.MAX_DESCRIPTORS];
      assertThat(receiver.receive(arena.allocate(10), received)).isEqualTo(4);
      assertThat(receiver.received()).isEqualTo(sent.length);
      for (int each : received) {
        assertThat(kernel.close(each)).isZero();
      }
    } finally {
      kernel.close(fd);
    }
  }

  @Test
  void aPeerThatIsGoneIsAnAnswerAndNoSignal() throws IOException {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    try (var left = pair.first();
        var arena = Arena.ofConfined()) {
      pair.second().close();
      assertThat(left.send(text(arena, "x"), NONE, 0)).isEqualTo(Errno.EPIPE.result());
      assertThat(left.receive(arena.allocate(10), NONE)).isZero();
    }
  }

  @Test
  void whoListensNowhereIsNamed() {
    var path = directory.resolve("nobody").toString();
    assertThatThrownBy(() -> UnixSocket.connect(LinuxKernel.instance(), path))
        .isInstanceOf(ErrnoException.class)
        .hasMessageContaining("connect(" + path + ")")
        .hasMessageContaining("ENOENT");
  }

  @Test
  void aPathThatExistsIsNotTaken() throws IOException {
    var path = directory.resolve("socket").toString();
    long before = openDescriptors();
    try (var _ = UnixSocket.listen(LinuxKernel.instance(), path, 0600)) {
      assertThatThrownBy(() -> UnixSocket.listen(LinuxKernel.instance(), path, 0600))
          .hasMessageContaining("EADDRINUSE");
    }
    assertThatThrownBy(() -> UnixSocket.connect(LinuxKernel.instance(), path))
        .hasMessageContaining("ECONNREFUSED");
    assertThat(openDescriptors()).isEqualTo(before);
  }

  @Test
  void aPathIsNoLongerThanTheKernelHasRoomFor() throws IOException {
    var name = "n".repeat(UnixSocket.MAX_PATH_BYTES - directory.toString().length() - 1);
    try (var _ = UnixSocket.listen(LinuxKernel.instance(), directory + "/" + name, 0600)) {
      assertThat(directory.resolve(name)).exists();
    }
    assertThatThrownBy(
            () -> UnixSocket.listen(LinuxKernel.instance(), directory + "/" + name + "n", 0600))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void shutdownEndsAWaitOfAnotherThread() throws Exception {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    try (var left = pair.first();
        var _ = pair.second();
        var arena = Arena.ofShared()) {
      var room = arena.allocate(10);
      var result = CompletableFuture.supplyAsync(() -> left.receive(room, NONE));
      left.shutdown();
      assertThat(result.get(30, TimeUnit.SECONDS)).isZero();
    }
  }

  @Test
  void shutdownEndsAnAcceptOfAnotherThread() throws Exception {
    try (var listener =
        UnixSocket.listen(LinuxKernel.instance(), directory.resolve("socket").toString(), 0600)) {
      var refused =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return listener.accept().toString();
                } catch (ErrnoException e) {
                  return e.errno().symbol();
                }
              });
      listener.shutdown();
      assertThat(refused.get(30, TimeUnit.SECONDS)).isEqualTo("EINVAL");
    }
  }

  @Test
  void aBurstWaitsUntilItIsAccepted() throws Exception {
    var path = directory.resolve("socket").toString();
    List<UnixSocket> all = new ArrayList<>();
    try (var listener = UnixSocket.listen(LinuxKernel.instance(), path, 0600)) {
      for (int i = 0; i < 100; i++) {
        all.add(UnixSocket.connect(LinuxKernel.instance(), path, 100));
      }
      for (int i = 0; i < 100; i++) {
        listener.accept().close();
      }
    }
    all.forEach(UnixSocket::close);
  }

  @Test
  void nobodyConnectsBeforeItListens() throws Exception {
    var path = directory.resolve("socket");
    try (var socket = UnixSocket.bind(LinuxKernel.instance(), path.toString(), 0)) {
      assertThat(Files.getPosixFilePermissions(path)).isEmpty();
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
      assertThatThrownBy(() -> UnixSocket.connect(LinuxKernel.instance(), path.toString()))
          .hasMessageContaining("ECONNREFUSED");
      assertThat(UnixSocket.notListening(LinuxKernel.instance(), socket.fd()))
          .contains("a UNIX socket that does not listen");
      socket.listen();
      UnixSocket.connect(LinuxKernel.instance(), path.toString()).close();
      assertThat(UnixSocket.notListening(LinuxKernel.instance(), socket.fd())).isEmpty();
    }
  }

  @Test
  void tellsWhatIsNoSocketToBeAcceptedAt() throws Exception {
    int event = kernel.eventFd(0, 0);
    int file = kernel.open(Files.writeString(directory.resolve("file"), "x").toString(), 0);
    var pair = UnixSocket.pair(LinuxKernel.instance());
    try (var network = ServerSocketChannel.open().bind(null);
        var pipe = Pipe.open().source()) {
      assertThat(UnixSocket.notListening(LinuxKernel.instance(), event))
          .contains("no socket but anon_inode:[eventfd]");
      assertThat(UnixSocket.notListening(LinuxKernel.instance(), file))
          .contains("no socket but " + directory + "/file");
      assertThat(UnixSocket.notListening(LinuxKernel.instance(), pair.first().fd()))
          .contains("a UNIX socket that does not listen");
      assertThat(UnixSocket.notListening(LinuxKernel.instance(), 1 << 20)).contains("not open");
      assertThat(network.isOpen() && pipe.isOpen()).isTrue();
      assertThat(kinds()).contains("a pipe").anyMatch(kind -> kind.contains("address family"));
    }
    pair.first().close();
    pair.second().close();
    kernel.close(event);
    kernel.close(file);
  }

  /** What all descriptors of this process are, as far as nobody can be accepted there. */
  private static List<String> kinds() throws IOException {
    try (var all = Files.list(Path.of("/proc/self/fd"))) {
      return all.map(each -> Integer.parseInt(each.getFileName().toString()))
          .flatMap(fd -> UnixSocket.notListening(LinuxKernel.instance(), fd).stream())
          .toList();
    }
  }

  @Test
  void sendsWhatThereIsRoomForWithoutWaiting() throws Exception {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    try (var arena = Arena.ofConfined();
        var first = pair.first();
        var second = pair.second()) {
      var bytes = arena.allocate(1 << 20);
      long sent = 0;
      long result = first.send(bytes, 0, bytes.byteSize(), NONE, 0, false);
      while (result > 0) {
        sent += result;
        result = first.send(bytes, 0, bytes.byteSize(), NONE, 0, false);
      }
      assertThat(result).isEqualTo(Errno.EAGAIN.result());
      assertThat(first.send(bytes, 0, 1, new int[] {first.fd()}, 1, false))
          .isEqualTo(Errno.EAGAIN.result());
      assertThat(kernel.awaitWritable(first.fd(), 1)).isZero();
      while (sent > 0) {
        sent -= second.receive(bytes, NONE);
      }
      assertThat(kernel.awaitWritable(first.fd(), 1)).isOne();
    }
  }
}
