// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MessageSocketTest {
  private static final int MAX_MESSAGE = 64 << 10;
  private static final int PATIENCE_MILLIS = 300;
  private static final int MAX_FDS = 4;
  private static final int[] NONE = {};

  private final Arena arena = Arena.ofShared();
  private final UnixSocket peer;
  private final MessageSocket socket;

  MessageSocketTest() throws ErrnoException {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    peer = pair.first();
    socket = new MessageSocket(pair.second(), MAX_MESSAGE, MAX_FDS);
  }

  @AfterEach
  void close() {
    peer.close();
    socket.close();
    arena.close();
  }

  private MemorySegment message(int id, int byteSize) {
    var message = arena.allocate(byteSize, 8);
    message.fill((byte) id);
    Header.writeCommand(message, id, Command.REGION_WRITE, byteSize);
    return message;
  }

  private void send(MemorySegment bytes, int... fds) {
    assertThat(peer.send(bytes, fds, fds.length)).isEqualTo(bytes.byteSize());
  }

  private MemorySegment together(MemorySegment... parts) {
    long total = 0;
    for (var part : parts) {
      total += part.byteSize();
    }
    var all = arena.allocate(total);
    long at = 0;
    for (var part : parts) {
      all.asSlice(at, part.byteSize()).copyFrom(part);
      at += part.byteSize();
    }
    return all;
  }

  private void assertReceives(int id, int byteSize) {
    assertThat(socket.receive(true)).isEqualTo(byteSize);
    assertThat(Header.id(socket.message())).isEqualTo(id);
    for (int i = Header.SIZE; i < byteSize; i++) {
      assertThat(socket.message().get(ValueLayout.JAVA_BYTE, i)).isEqualTo((byte) id);
    }
  }

  private static int eventFd() {
    return LinuxKernel.instance().eventFd(0, 0);
  }

  private static long openFiles() throws Exception {
    try (var files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    }
  }

  @Test
  void findsMessagesWhateverPiecesTheyComeIn() {
    var random = new Random(1);
    for (int round = 0; round < 200; round++) {
      List<MemorySegment> messages = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        messages.add(message(i + 1, Header.SIZE + random.nextInt(random.nextBoolean() ? 9 : 900)));
      }
      var stream = together(messages.toArray(MemorySegment[]::new));
      int received = 0;
      for (long sent = 0; sent < stream.byteSize(); ) {
        long piece = Math.min(stream.byteSize() - sent, 1 + random.nextInt(2000));
        send(stream.asSlice(sent, piece));
        sent += piece;
        long begun = 0;
        int whole = 0;
        for (var message : messages) {
          begun += message.byteSize();
          whole += begun <= sent ? 1 : 0;
        }
        for (; received < whole; received++) {
          assertReceives(received + 1, (int) messages.get(received).byteSize());
        }
      }
    }
  }

  @Test
  void saysThatThereIsNothingIfItIsNotToWait() {
    assertThat(socket.receive(false)).isEqualTo(Errno.EAGAIN.result());
    assertThat(socket.hasMore()).isFalse();
    send(together(message(1, 24), message(2, 24)));
    assertThat(socket.receive(false)).isEqualTo(24);
    assertThat(socket.hasMore()).isTrue();
    assertThat(socket.receive(false)).isEqualTo(24);
    assertThat(socket.hasMore()).isFalse();
    assertThat(socket.receive(false)).isEqualTo(Errno.EAGAIN.result());
  }

  @Test
  void givesDescriptorsToTheMessageThatTheyCameWith() throws Exception {
    int fd = eventFd();
    long before = openFiles();
    send(message(1, 20));
    send(message(2, 3000), fd, fd);
    send(message(3, 33));
    send(message(4, 17), fd);
    send(message(5, 18), fd, fd, fd);

    assertReceives(1, 20);
    assertThat(socket.fdCount()).isZero();
    assertReceives(2, 3000);
    assertThat(socket.fdCount()).isEqualTo(2);
    int taken = socket.takeFd(1);
    assertThat(taken).isNotNegative();
    assertThat(socket.takeFd(1)).isNegative();
    assertReceives(3, 33);
    assertThat(socket.fdCount()).isZero();
    assertReceives(4, 17);
    assertThat(socket.fdCount()).isEqualTo(1);
    assertReceives(5, 18);
    assertThat(socket.fdCount()).isEqualTo(3);
    send(message(6, 16));
    assertReceives(6, 16);
    assertThat(openFiles()).isEqualTo(before + 1);
    LinuxKernel.instance().close(taken);
    LinuxKernel.instance().close(fd);
  }

  @Test
  void takesDescriptorsThatComeWithTheRestOfAMessage() throws Exception {
    int fd = eventFd();
    var message = message(7, 100);
    send(message.asSlice(0, 16), fd);
    send(message.asSlice(16, 20), fd);
    send(message.asSlice(36), fd);
    assertReceives(7, 100);
    assertThat(socket.fdCount()).isEqualTo(3);
    LinuxKernel.instance().close(fd);
  }

  @Test
  void refusesMoreDescriptorsThanThereMayBeAndKeepsNone() throws Exception {
    int fd = eventFd();
    long before = openFiles();
    send(message(1, 16), fd, fd, fd, fd, fd);
    assertThat(socket.receive(true)).isEqualTo(Errno.EMSGSIZE.result());
    assertThat(openFiles()).isEqualTo(before);
    LinuxKernel.instance().close(fd);
  }

  @Test
  void refusesLengthsThatNoMessageHas() throws Exception {
    for (int length : new int[] {0, 15, MAX_MESSAGE + 1, -1}) {
      var pair = UnixSocket.pair(LinuxKernel.instance());
      try (var sender = pair.first();
          var receiver = new MessageSocket(pair.second(), MAX_MESSAGE, MAX_FDS)) {
        var message = arena.allocate(32, 8);
        Header.writeCommand(message, 1, Command.VERSION, length);
        sender.send(message, NONE, 0);
        assertThat(receiver.receive(true)).isEqualTo(Errno.EPROTO.result());
      }
    }
  }

  @Test
  void tellsAnEndFromABrokenMessage() throws Exception {
    send(message(1, 40));
    send(message(2, 40).asSlice(0, 39));
    peer.shutdown();
    assertReceives(1, 40);
    assertThat(socket.receive(true)).isEqualTo(Errno.ECONNRESET.result());

    var pair = UnixSocket.pair(LinuxKernel.instance());
    try (var receiver = new MessageSocket(pair.second(), MAX_MESSAGE, MAX_FDS)) {
      pair.first().close();
      assertThat(receiver.receive(true)).isZero();
    }
  }

  @Test
  void closesWhatNobodyTook() throws Exception {
    int fd = eventFd();
    long before = openFiles();
    var pair = UnixSocket.pair(LinuxKernel.instance());
    pair.first().send(together(message(1, 16), message(2, 16)), new int[] {fd, fd}, 2);
    var receiver = new MessageSocket(pair.second(), MAX_MESSAGE, MAX_FDS);
    assertThat(receiver.receive(true)).isEqualTo(16);
    receiver.close();
    pair.first().close();
    assertThat(openFiles()).isEqualTo(before);
    LinuxKernel.instance().close(fd);
  }

  @Test
  void sendsLongMessagesWhole() throws Exception {
    var message = message(9, MAX_MESSAGE);
    var pair = UnixSocket.pair(LinuxKernel.instance());
    try (var sender = new MessageSocket(pair.first(), MAX_MESSAGE, MAX_FDS);
        var receiver = new MessageSocket(pair.second(), MAX_MESSAGE, MAX_FDS)) {
      var thread = Thread.ofPlatform().start(() -> sender.send(message, MAX_MESSAGE));
      assertThat(receiver.receive(true)).isEqualTo(MAX_MESSAGE);
      assertThat(receiver.message().asSlice(0, MAX_MESSAGE).mismatch(message)).isEqualTo(-1);
      thread.join();
      receiver.shutdown();
      assertThat(sender.send(message, 16)).isEqualTo(Errno.EPIPE.result());
    }
  }

  /** As long as patience is for a message, however often something comes of it. */
  @Test
  void aMessageThatComesByteByByteHasToBeHereInTime() throws Exception {
    for (boolean isFirst : new boolean[] {true, false}) {
      var pair = UnixSocket.pair(LinuxKernel.instance());
      var message = message(1, 1000);
      try (var sender = pair.first();
          var receiver = new MessageSocket(pair.second(), MAX_MESSAGE, MAX_FDS, PATIENCE_MILLIS)) {
        var thread =
            Thread.ofPlatform()
                .start(
                    () -> {
                      for (int i = 0; i < 1000; i++) {
                        if (sender.send(message, i, 1, NONE, 0) < 0) {
                          return; // the receiver has gone
                        }
                        pause();
                      }
                    });
        long start = System.nanoTime();
        int result = isFirst ? receiver.receiveInTime() : receiver.receive(true);
        assertThat(result).isEqualTo(Errno.ETIMEDOUT.result());
        assertThat((System.nanoTime() - start) / 1_000_000)
            .isBetween((long) PATIENCE_MILLIS, 10L * PATIENCE_MILLIS);
        receiver.shutdown();
        thread.join();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(20);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void nothingAtAllIsTooLate() throws Exception {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    try (var _ = pair.first();
        var receiver = new MessageSocket(pair.second(), MAX_MESSAGE, MAX_FDS, PATIENCE_MILLIS)) {
      assertThat(receiver.receiveInTime()).isEqualTo(Errno.ETIMEDOUT.result());
    }
  }

  @Test
  void aPeerThatTakesLittleByLittleIsWaitedForInTime() throws Exception {
    var pair = UnixSocket.pair(LinuxKernel.instance());
    int size = 64 << 20;
    var message = arena.allocate(size, 8);
    try (var reader = pair.first();
        var sender = new MessageSocket(pair.second(), MAX_MESSAGE, MAX_FDS, PATIENCE_MILLIS)) {
      var piece = arena.allocate(4096);
      var thread =
          Thread.ofPlatform()
              .start(
                  () -> {
                    while (reader.receive(piece, NONE) > 0) {
                      pause();
                    }
                  });
      long start = System.nanoTime();
      assertThat(sender.send(message, size)).isEqualTo(Errno.EAGAIN.result());
      assertThat((System.nanoTime() - start) / 1_000_000).isLessThan(10L * PATIENCE_MILLIS);
      sender.shutdown();
      reader.shutdown();
      thread.join();
    }
  }
}
