// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.user.wire.MessageDescriptor;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/**
 * Keeps what goes past a {@link UserTap} in a file, which {@link UserRecording} reads. Messages
 * carry what a guest has in memory and on disk, so the file is its owner's only, and a name that
 * somebody else may have put there leads nowhere.
 */
// The order of kinds is a part of the format; buffers are allocated here, so their arrays are they.
@SuppressWarnings({"EnumOrdinal", "ByteBufferBackingArray"})
public final class RecordingWriter implements TapObserver, AutoCloseable {
  private static final int BUFFER = 1 << 20;

  private final String name;
  private final OutputStream out;

  private RecordingWriter(String name, OutputStream out) {
    this.name = name;
    this.out = new BufferedOutputStream(out, BUFFER);
  }

  /**
   * Begins a recording in a new file of mode 0600. A file that has the name already loses it: who
   * has it open sees nothing of the recording. A pipe or a character device is written to.
   *
   * @throws IOException if it cannot be written, or there is a symbolic link
   */
  public static RecordingWriter create(Path file) throws IOException {
    return begin(file.toString(), Channels.newOutputStream(PrivateFile.open(file)));
  }

  /**
   * Begins a recording in what is open already, such as standard output.
   *
   * @param name what messages call it
   * @param out closed with the recording
   * @throws UncheckedIOException if it cannot be written
   */
  public static RecordingWriter to(String name, OutputStream out) {
    return begin(name, out);
  }

  private static RecordingWriter begin(String name, OutputStream out) {
    var writer = new RecordingWriter(name, out);
    var header = little(RecordingFormat.FILE_HEADER);
    header.putLong(RecordingFormat.MAGIC);
    header.putInt(RecordingFormat.VERSION);
    header.order(ByteOrder.nativeOrder()).putInt(RecordingFormat.ORDER);
    header
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()));
    writer.write(header.array());
    return writer;
  }

  private static ByteBuffer little(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * {@inheritDoc}
   *
   * @throws UncheckedIOException if it cannot be written
   */
  @Override
  public void connected(int connection, long nanos) {
    record(RecordingFormat.CONNECTED, 0, connection, nanos, List.of(), new byte[0]);
  }

  /**
   * {@inheritDoc}
   *
   * @throws UncheckedIOException if it cannot be written
   * @throws IllegalArgumentException if the message is not whole
   */
  @Override
  public void message(TapMessage message) {
    if (!message.isWhole()) {
      throw new IllegalArgumentException(
          "%d of %d bytes are no message to be kept"
              .formatted(message.bytes().length, message.byteSize()));
    }
    int flags =
        (message.direction() == MessageDirection.TO_CLIENT ? RecordingFormat.TO_CLIENT : 0)
            | (message.isTwin() ? RecordingFormat.TWIN : 0);
    record(
        RecordingFormat.MESSAGE,
        flags,
        message.connection(),
        message.nanos(),
        message.descriptors(),
        message.bytes());
  }

  /**
   * {@inheritDoc}
   *
   * @throws UncheckedIOException if it cannot be written
   */
  @Override
  public void disconnected(int connection, long nanos, String reason) {
    record(
        RecordingFormat.DISCONNECTED,
        0,
        connection,
        nanos,
        List.of(),
        reason.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * {@inheritDoc}
   *
   * @throws UncheckedIOException if it cannot be written
   */
  @Override
  public void caughtUp() {
    try {
      out.flush();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private void record(
      int kind,
      int flags,
      int connection,
      long nanos,
      List<MessageDescriptor> descriptors,
      byte[] bytes) {
    var names = descriptors.stream().map(RecordingWriter::name).toList();
    int size = RecordingFormat.RECORD_HEADER + bytes.length;
    for (var name : names) {
      size += RecordingFormat.DESCRIPTOR_HEADER + name.length;
    }
    var head = little(size - bytes.length);
    head.putInt(size);
    head.put((byte) kind);
    head.put((byte) flags);
    head.putShort((short) descriptors.size());
    head.putInt(connection);
    head.putInt(0);
    head.putLong(nanos);
    for (int i = 0; i < descriptors.size(); i++) {
      var descriptor = descriptors.get(i);
      head.put((byte) descriptor.kind().ordinal());
      head.put((byte) names.get(i).length);
      head.putShort((short) 0);
      head.putInt(0);
      head.putLong(descriptor.byteSize().orElse(-1));
      head.put(names.get(i));
    }
    write(head.array());
    write(bytes);
  }

  private static byte[] name(MessageDescriptor descriptor) {
    var name = descriptor.name();
    var bytes = name.getBytes(StandardCharsets.UTF_8);
    while (bytes.length > RecordingFormat.MAX_NAME) {
      name = name.substring(0, name.length() - 1);
      bytes = name.getBytes(StandardCharsets.UTF_8);
    }
    return bytes;
  }

  private void write(byte[] bytes) {
    try {
      out.write(bytes);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private UncheckedIOException failed(IOException e) {
    return new UncheckedIOException(
        "writing the recording " + name + " failed: " + e.getMessage(), e);
  }

  /** Writes what is left to write, and closes the file. */
  @Override
  public void close() throws IOException {
    out.close();
  }

  @Override
  public String toString() {
    return "recording to " + name;
  }
}
