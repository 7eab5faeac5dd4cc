// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.user.wire.MessageDescriptor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UserRecordingTest {
  private static final int HEADER = RecordingFormat.FILE_HEADER;

  private final Path file;

  UserRecordingTest(@TempDir Path directory) {
    this.file = directory.resolve("recording");
  }

  private byte[] recorded() throws IOException {
    try (var writer = RecordingWriter.create(file)) {
      writer.connected(1, 5);
      writer.message(
          new TapMessage(
              1,
              6,
              MessageDirection.TO_CLIENT,
              true,
              Bytes.command(13).message(),
              List.of(
                  new MessageDescriptor(
                      MessageDescriptor.Kind.MEMORY, "ram", OptionalLong.of(4096)),
                  new MessageDescriptor(
                      MessageDescriptor.Kind.EVENTFD, "x".repeat(400), OptionalLong.empty()))));
      writer.disconnected(1, 7, "the client closed it");
    }
    return Files.readAllBytes(file);
  }

  private List<UserRecording.Entry> entries() throws IOException {
    try (var recording = UserRecording.open(file)) {
      return entries(recording);
    }
  }

  /** All records of a short recording. */
  static List<UserRecording.Entry> entries(UserRecording recording) throws IOException {
    var entries = new ArrayList<UserRecording.Entry>();
    var cursor = recording.cursor();
    for (var entry = cursor.next(); entry != null; entry = cursor.next()) {
      entries.add(entry);
    }
    return entries;
  }

  @Test
  void readsWhatWasWritten() throws IOException {
    recorded();
    try (var recording = UserRecording.open(file)) {
      assertThat(recording.order()).isEqualTo(ByteOrder.nativeOrder());
      var entries = entries(recording);
      assertThat(entries.stream().map(UserRecording.Entry::kind))
          .containsExactly(
              UserRecording.Kind.CONNECTED,
              UserRecording.Kind.MESSAGE,
              UserRecording.Kind.DISCONNECTED);
      var message = entries.get(1);
      assertThat(recording.bytes(message)).isEqualTo(Bytes.command(13).message());
      assertThat(message.direction()).isEqualTo(MessageDirection.TO_CLIENT);
      assertThat(message.isTwin()).isTrue();
      assertThat(message.nanos()).isEqualTo(6);
      assertThat(message.descriptors().get(0))
          .isEqualTo(
              new MessageDescriptor(MessageDescriptor.Kind.MEMORY, "ram", OptionalLong.of(4096)));
      assertThat(message.descriptors().get(1).name()).isEqualTo("x".repeat(255));
      assertThat(
              new String(recording.bytes(entries.get(2)), java.nio.charset.StandardCharsets.UTF_8))
          .isEqualTo("the client closed it");
    }
  }

  @Test
  void leavesOutARecordThatIsNotWhole() throws IOException {
    var bytes = recorded();
    int third = bytes.length - RecordingFormat.RECORD_HEADER - "the client closed it".length();
    for (int length = HEADER; length < bytes.length; length++) {
      Files.write(file, Arrays.copyOf(bytes, length));
      try (var recording = UserRecording.open(file)) {
        int size = length < HEADER + 24 ? 0 : length < third ? 1 : 2;
        assertThat(entries(recording)).hasSize(size);
        int begin = length < HEADER + 24 ? HEADER : length < third ? HEADER + 24 : third;
        var cut = length == begin ? OptionalLong.empty() : OptionalLong.of(begin);
        assertThat(recording.replayTo(_ -> {})).isEqualTo(cut);
        var again = UserRecording.read("a pipe", new ByteArrayInputStream(bytes, 0, length));
        assertThat(again.replayTo(_ -> {})).isEqualTo(cut);
      }
    }
  }

  @Test
  void refusesWhatIsNoRecording() throws IOException {
    var bytes = recorded();
    Files.write(file, new byte[3]);
    assertThatThrownBy(this::entries).hasMessageContaining("is no recording: it has 3 bytes");
    Files.write(file, new byte[64]);
    assertThatThrownBy(this::entries).hasMessageContaining("begins with something else");
    bytes[8] = 2;
    Files.write(file, bytes);
    assertThatThrownBy(this::entries)
        .hasMessageContaining("is a recording of version 2, and this jvfio reads version 1");
    bytes[8] = 1;
    bytes[12] = 77;
    Files.write(file, bytes);
    assertThatThrownBy(this::entries).hasMessageContaining("no known byte order");
  }

  @Test
  void tellsMessagesOfTheOtherByteOrder() throws IOException {
    var bytes = recorded();
    ByteBuffer.wrap(bytes).order(ByteOrder.BIG_ENDIAN).putInt(12, RecordingFormat.ORDER);
    Files.write(file, bytes);
    try (var recording = UserRecording.open(file)) {
      assertThat(recording.order()).isEqualTo(ByteOrder.BIG_ENDIAN);
    }
  }

  @Test
  void looksAtLengthsBeforeItTakesMemory() throws IOException {
    var bytes = recorded();
    for (int length : new int[] {0, 23, -1, Integer.MAX_VALUE}) {
      var copy = bytes.clone();
      ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN).putInt(HEADER, length);
      Files.write(file, copy);
      assertThatThrownBy(this::entries).hasMessageContaining("is damaged at byte 24: a record of");
    }
    var copy = bytes.clone();
    ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN).putShort(HEADER + 24 + 6, (short) -1);
    Files.write(file, copy);
    assertThatThrownBy(this::entries)
        .hasMessageContaining("is damaged at byte 48: descriptors that are longer");
    // Room for a message of 64 MiB is only taken where the file has it.
    copy = bytes.clone();
    ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN).putInt(HEADER, 64 << 20);
    Files.write(file, copy);
    assertThat(entries()).isEmpty();
  }

  @Test
  void skipsRecordsOfALaterVersion() throws IOException {
    var bytes = recorded();
    bytes[HEADER + 4] = 99;
    Files.write(file, bytes);
    assertThat(entries()).hasSize(2);
  }

  @Test
  void failsWithASentenceWhateverTheFileHas() throws IOException {
    var bytes = recorded();
    var random = new Random(8);
    for (int round = 0; round < 3000; round++) {
      var copy = bytes.clone();
      for (int i = 1 + random.nextInt(6); i > 0; i--) {
        copy[random.nextInt(copy.length)] = (byte) random.nextInt();
      }
      Files.write(file, copy);
      try (var recording = UserRecording.open(file)) {
        recording.replayTo(
            message ->
                assertThat(
                        new MessageDecoder(recording.order())
                            .decode(message.direction(), message.bytes(), message.descriptors(), 0)
                            .toText(true))
                    .isNotEmpty());
      } catch (IOException e) {
        assertThat(e).hasMessageContaining(file.toString());
      }
    }
  }

  private static String mode(Path file) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
  }

  @Test
  void isItsOwnersOnlyEvenWhereAFileHasTheNameAlready() throws IOException {
    Files.writeString(file, "old");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-rw-"));
    try (var reader = Files.newByteChannel(file)) {
      recorded();
      assertThat(mode(file)).isEqualTo("rw-------");
      assertThat(entries()).hasSize(3);
      // Who had the old one open sees nothing of the new one.
      assertThat(reader.size()).isEqualTo(3);
    }
    try (var files = Files.list(file.resolveSibling("."))) {
      assertThat(files).hasSize(1);
    }
    Files.delete(file);
    recorded();
    assertThat(mode(file)).isEqualTo("rw-------");
  }

  @Test
  void followsNoLink() throws IOException {
    var target = file.resolveSibling("target");
    Files.createSymbolicLink(file, target);
    assertThatThrownBy(this::recorded)
        .isInstanceOf(IOException.class)
        .hasMessageContaining(file + " is a symbolic link");
    assertThat(target).doesNotExist();
    Files.writeString(target, "precious");
    assertThatThrownBy(this::recorded).hasMessageContaining(file + " is a symbolic link");
    assertThat(target).hasContent("precious");
    assertThat(file).isSymbolicLink();
  }

  @Test
  void writesToADeviceAsItIs() throws IOException {
    assertThatThrownBy(() -> RecordingWriter.create(file.resolveSibling(".")))
        .hasMessageContaining("is a directory");
    try (var writer = RecordingWriter.create(Path.of("/dev/null"))) {
      writer.connected(1, 5);
    }
    assertThat(Files.getAttribute(Path.of("/dev/null"), "unix:rdev")).isEqualTo(0x103L);
  }
}
