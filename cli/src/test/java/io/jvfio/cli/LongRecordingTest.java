// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.jvfio.user.tools.MessageDirection;
import io.jvfio.user.tools.RecordingWriter;
import io.jvfio.user.tools.TapMessage;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Recordings that are long, of a JVM that has little memory: 300,000 records, which would take more
 * than its heap if all were kept, or a message of 64 MiB. {@code -Djvfio.records=3000000} makes it
 * as many as in the field, with the same heap.
 */
@Timeout(value = 15, unit = TimeUnit.MINUTES)
class LongRecordingTest {
  private static final int RECORDS = Integer.getInteger("jvfio.records", 300_000);

  /** For many records, and for a message of 64 MiB. */
  private static final String LITTLE = "-Xmx20m";

  private static final String SOME = "-Xmx64m";

  /** Writes that want no reply, to each read, which has one. */
  private static final int WRITES = 28;

  private static final int READS = (RECORDS - 4) / (WRITES + 2);
  private static final int LONG_DATA = 64 << 20;
  private static final int ACCESS = Header.SIZE + 16;

  private final Path directory;
  private final Path file;
  private final List<Process> processes = new ArrayList<>();

  LongRecordingTest(@TempDir Path directory) {
    this.directory = directory;
    this.file = directory.resolve("recording");
  }

  @AfterEach
  void end() {
    processes.forEach(Process::destroyForcibly);
  }

  // --- messages ---

  private static ByteBuffer message(int byteSize) {
    return ByteBuffer.allocate(byteSize).order(ByteOrder.nativeOrder());
  }

  private static ByteBuffer header(int byteSize, int id, Command command, int flags) {
    return message(byteSize)
        .putShort((short) id)
        .putShort((short) command.number())
        .putInt(byteSize)
        .putInt(flags)
        .putInt(0);
  }

  private static byte[] version(int flags) {
    var text = "{\"capabilities\":{}}\0".getBytes(StandardCharsets.UTF_8);
    return header(Header.SIZE + 4 + text.length, 0, Command.VERSION, flags)
        .putShort((short) 0)
        .putShort((short) 1)
        .put(text)
        .array();
  }

  private static byte[] access(int id, Command command, int flags, int count, int data) {
    return header(ACCESS + data, id, command, flags).putLong(0x40).putInt(0).putInt(count).array();
  }

  private static byte[] write(int value) {
    var message = access(value, Command.REGION_WRITE, Header.NO_REPLY, 4, 4);
    ByteBuffer.wrap(message).order(ByteOrder.nativeOrder()).putInt(ACCESS, value);
    return message;
  }

  private static byte[] read(int id) {
    return access(id, Command.REGION_READ, 0, 4, 0);
  }

  private static byte[] readReply(int id) {
    return access(id, Command.REGION_READ, Header.REPLY, 4, 4);
  }

  // --- recordings ---

  private static TapMessage told(MessageDirection direction, byte[] message) {
    return new TapMessage(1, 5, direction, false, message, List.of());
  }

  private static void begin(RecordingWriter writer) {
    writer.connected(1, 1);
    writer.message(told(MessageDirection.TO_SERVER, version(Header.COMMAND)));
    writer.message(told(MessageDirection.TO_CLIENT, version(Header.REPLY)));
  }

  private void recordMany() throws IOException {
    try (var writer = RecordingWriter.create(file)) {
      begin(writer);
      for (int i = 0; i < READS; i++) {
        for (int j = 0; j < WRITES; j++) {
          writer.message(told(MessageDirection.TO_SERVER, write(i)));
        }
        writer.message(told(MessageDirection.TO_SERVER, read(i)));
        writer.message(told(MessageDirection.TO_CLIENT, readReply(i)));
      }
      writer.disconnected(1, 9, "the client closed it");
    }
  }

  private void recordALongOne() throws IOException {
    try (var writer = RecordingWriter.create(file)) {
      begin(writer);
      writer.message(
          told(MessageDirection.TO_SERVER, access(7, Command.REGION_READ, 0, LONG_DATA, 0)));
      writer.message(
          told(
              MessageDirection.TO_CLIENT,
              access(7, Command.REGION_READ, Header.REPLY, LONG_DATA, LONG_DATA)));
      writer.disconnected(1, 9, "the client closed it");
    }
  }

  // --- the command ---

  /** The command, with a heap of this size. */
  private Process start(String heap, String... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            heap,
            "-XX:+UseSerialGC",
            "--module-path",
            System.getProperty("jdk.module.path"),
            "--enable-native-access=io.jvfio.linux",
            "-m",
            "io.jvfio.cli/io.jvfio.cli.Main",
            "user"));
    command.addAll(List.of(args));
    var process =
        new ProcessBuilder(command).redirectError(directory.resolve("err").toFile()).start();
    processes.add(process);
    return process;
  }

  private void assertSucceeds(Process process) throws Exception {
    assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
    assertThat(directory.resolve("err")).content().doesNotContain("Exception", "Error");
    assertThat(process.exitValue()).isZero();
  }

  private long countLines(String... args) throws Exception {
    var process = start(LITTLE, args);
    long count = 0;
    var piece = new byte[1 << 16];
    try (var out = process.getInputStream()) {
      for (int length = out.read(piece); length >= 0; length = out.read(piece)) {
        for (int i = 0; i < length; i++) {
          count += piece[i] == '\n' ? 1 : 0;
        }
      }
    }
    assertSucceeds(process);
    return count;
  }

  private List<String> lines(String heap, String... args) throws Exception {
    var process = start(heap, args);
    List<String> lines;
    try (var out =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      lines = out.lines().toList();
    }
    assertSucceeds(process);
    return lines;
  }

  // --- the other side ---

  private static byte[] receive(SocketChannel channel, ByteBuffer buffer) throws IOException {
    while (!hasMessage(buffer)) {
      buffer.compact();
      int count = channel.read(buffer);
      buffer.flip();
      if (count < 0) {
        throw new EOFException();
      }
    }
    var message = new byte[buffer.getInt(buffer.position() + 4)];
    buffer.get(message);
    return message;
  }

  private static boolean hasMessage(ByteBuffer buffer) {
    return buffer.remaining() >= Header.SIZE
        && buffer.remaining() >= buffer.getInt(buffer.position() + 4);
  }

  private static void send(SocketChannel channel, byte[] message) throws IOException {
    for (var buffer = ByteBuffer.wrap(message); buffer.hasRemaining(); ) {
      channel.write(buffer);
    }
  }

  /** Replies to one client as the recorded server did; tells how many messages came. */
  private static long serve(ServerSocketChannel listener) throws IOException {
    long count = 0;
    var buffer = message(1 << 16).flip();
    try (var client = listener.accept()) {
      while (true) {
        byte[] message;
        try {
          message = receive(client, buffer);
        } catch (EOFException e) {
          return count;
        }
        count++;
        var head = ByteBuffer.wrap(message).order(ByteOrder.nativeOrder());
        int command = head.getShort(2);
        if (command == Command.VERSION.number()) {
          send(client, version(Header.REPLY));
        } else if (command == Command.REGION_READ.number()) {
          send(client, readReply(head.getShort(0)));
        }
      }
    }
  }

  /** A socket has its path a moment before somebody listens. */
  private static SocketChannel connect(Path server) throws IOException {
    while (true) {
      try {
        return SocketChannel.open(UnixDomainSocketAddress.of(server));
      } catch (ConnectException e) {
        Thread.onSpinWait();
      }
    }
  }

  /** Asks as the recorded client did. */
  private static void ask(Path server) throws IOException {
    var buffer = message(1 << 16).flip();
    try (var channel = connect(server)) {
      send(channel, version(Header.COMMAND));
      assertThat(receive(channel, buffer)).isEqualTo(version(Header.REPLY));
      var piece = message(WRITES * write(0).length + read(0).length);
      for (int i = 0; i < READS; i++) {
        piece.clear();
        for (int j = 0; j < WRITES; j++) {
          piece.put(write(i));
        }
        piece.put(read(i));
        var bytes = new byte[piece.position()];
        piece.flip().get(bytes);
        send(channel, bytes);
        assertThat(receive(channel, buffer)).isEqualTo(readReply(i));
      }
    }
  }

  // --- tests ---

  @Test
  void printsManyRecords() throws Exception {
    recordMany();
    assertThat(countLines("print", file.toString())).isEqualTo(READS * (WRITES + 2L) + 4);
    assertThat(countLines("print", "--json", "--only", "REGION_READ", file.toString()))
        .isEqualTo(2L * READS);
  }

  @Test
  void playsManyRecordsToAServer() throws Exception {
    recordMany();
    var socket = directory.resolve("server");
    try (var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(socket));
      var served = new FutureTask<>(() -> serve(listener));
      Thread.ofPlatform().start(served);

      var lines = lines(LITTLE, "replay", file.toString(), socket.toString());

      assertThat(lines.getLast())
          .isEqualTo(
              "1 connections, %,d messages sent, %,d compared: no difference"
                  .formatted(READS * (WRITES + 1) + 1, READS + 1));
      assertThat(served.get(1, TimeUnit.MINUTES)).isEqualTo(READS * (WRITES + 1L) + 1);
    }
  }

  @Test
  void playsManyRecordsToAClient() throws Exception {
    recordMany();
    var socket = directory.resolve("replay");
    var process =
        start(LITTLE, "--json", "replay", "--as-server", file.toString(), socket.toString());
    while (!Files.exists(socket) && process.isAlive()) {
      Thread.sleep(5);
    }
    ask(socket);
    var report = new ObjectMapper().readTree(process.getInputStream());
    assertSucceeds(process);
    assertThat(report.get("same").asBoolean()).isTrue();
    assertThat(report.get("compared").asLong()).isEqualTo(READS * (WRITES + 1L) + 1);
    assertThat(report.get("sent").asLong()).isEqualTo(READS + 1);
  }

  @Test
  void printsTheBeginningOfALongMessage() throws Exception {
    recordALongOne();
    assertThat(lines(SOME, "print", file.toString()).get(4))
        .contains("REGION_READ reply", "data [00 00 ", " \u2026] 64 MiB after");

    var whole = lines(SOME, "print", "--hex", file.toString()).get(4);
    assertThat(whole).contains(" \u2026 63 MiB left out] 64 MiB after");
    assertThat(whole.length()).isBetween(3 << 20, (3 << 20) + 200);

    var json = new ObjectMapper().readTree(lines(SOME, "print", "--json", file.toString()).get(3));
    assertThat(json.get("byteSize").asInt()).isEqualTo(ACCESS + LONG_DATA);
    assertThat(json.get("fields").get("data").asText()).hasSize(2 << 20);
    assertThat(json.get("bytesLeftOut").asInt()).isEqualTo(63 << 20);
  }

  @Test
  void saysThatItHasNoMemoryForALongMessageToBeCompared() throws Exception {
    recordALongOne();
    var socket = directory.resolve("server");
    try (var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(socket));
      Thread.ofPlatform().daemon().start(new FutureTask<>(() -> serve(listener)));
      var process = start(SOME, "replay", file.toString(), socket.toString());
      assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).isEqualTo(1);
      assertThat(directory.resolve("err"))
          .content()
          .matches(
              "jvfio: the recording cannot be played: .* has a message of 67108896 bytes at byte"
                  + " \\d+, which this JVM has no memory for; give it more with -Xmx\n");
    }
  }
}
