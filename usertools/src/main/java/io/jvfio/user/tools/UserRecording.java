// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.MessageText;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.OptionalLong;

/**
 * A recording that a {@link RecordingWriter} made. What it says of itself is not trusted: no memory
 * is taken for a length before the file is known to have it.
 *
 * <p>The messages stay in the file: memory is taken for one at a time, however many there are. One
 * thread at a time.
 */
public final class UserRecording implements AutoCloseable {
  /** Long enough for all that the protocol has beside data. */
  private static final int LEAST = 64 << 10;

  private static final int PIECE = 64 << 10;

  private final RecordingSource source;
  private final ByteOrder order;
  private final Instant start;

  private UserRecording(RecordingSource source, ByteOrder order, Instant start) {
    this.source = source;
    this.order = order;
    this.start = start;
  }

  /** What a record tells. */
  enum Kind {
    /** A client connected. */
    CONNECTED,
    /** A message went past. */
    MESSAGE,
    /** A connection was over. */
    DISCONNECTED
  }

  /**
   * A record.
   *
   * @param kind what it tells
   * @param connection which connection it is of
   * @param nanos since the start
   * @param direction which way a message went
   * @param isTwin whether it went over the twin socket
   * @param descriptors what came with it
   * @param position where its bytes are in the file
   * @param byteSize how many they are
   */
  record Entry(
      Kind kind,
      int connection,
      long nanos,
      MessageDirection direction,
      boolean isTwin,
      List<MessageDescriptor> descriptors,
      long position,
      int byteSize) {
    /** Copies the list. */
    Entry {
      descriptors = List.copyOf(descriptors);
    }
  }

  /**
   * Opens a recording.
   *
   * @throws IOException if it cannot be read, or is no recording; the message says where
   */
  public static UserRecording open(Path path) throws IOException {
    var file = FileChannel.open(path, StandardOpenOption.READ);
    try {
      return read(new RecordingSource.OfFile(path.toString(), file));
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /**
   * Begins to read a recording that comes through a pipe or the like. It can be gone through once,
   * by {@link #replayTo}, and not be played by {@link UserReplay}.
   *
   * @param name what messages call it
   * @param in stays the caller's
   * @throws IOException if it cannot be read, or is no recording
   */
  public static UserRecording read(String name, InputStream in) throws IOException {
    return read(new RecordingSource.OfStream(name, in));
  }

  private static UserRecording read(RecordingSource source) throws IOException {
    var header = ByteBuffer.allocate(RecordingFormat.FILE_HEADER).order(ByteOrder.LITTLE_ENDIAN);
    while (header.hasRemaining()) {
      if (source.read(header, header.position()) < 0) {
        throw new IOException(
            source.name() + " is no recording: it has " + MessageText.bytes(header.position()));
      }
    }
    header.flip();
    if (header.getLong() != RecordingFormat.MAGIC) {
      throw new IOException(source.name() + " is no recording: it begins with something else");
    }
    int version = header.getInt();
    if (version != RecordingFormat.VERSION) {
      throw new IOException(
          "%s is a recording of version %s, and this jvfio reads version %d"
              .formatted(
                  source.name(), Integer.toUnsignedString(version), RecordingFormat.VERSION));
    }
    int mark = header.getInt();
    if (mark != RecordingFormat.ORDER && mark != Integer.reverseBytes(RecordingFormat.ORDER)) {
      throw new IOException(source.name() + " is no recording: it has no known byte order");
    }
    var order = mark == RecordingFormat.ORDER ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
    var start = Instant.EPOCH.plus(header.getLong(), ChronoUnit.MICROS);
    return new UserRecording(source, order, start);
  }

  /** The byte order of the messages. */
  public ByteOrder order() {
    return order;
  }

  /** When it was begun. */
  public Instant start() {
    return start;
  }

  /** Whether it can be gone through again and again. */
  boolean isFile() {
    return source.isFile();
  }

  /** From the first record on. */
  RecordingCursor cursor() throws IOException {
    return cursor(RecordingFormat.FILE_HEADER);
  }

  /** From the record on that begins at a place. */
  RecordingCursor cursor(long begin) throws IOException {
    return new RecordingCursor(source, begin);
  }

  /** The bytes of a record of a file: a message, or why a connection was over. */
  byte[] bytes(Entry entry) throws IOException {
    var bytes = RecordingCursor.allocate(source, entry, entry.byteSize());
    for (int done = 0; done < bytes.length; ) {
      // In pieces: the JDK takes as much memory again outside of the heap.
      var piece = ByteBuffer.wrap(bytes, done, Math.min(bytes.length - done, PIECE));
      int count = source.read(piece, entry.position() + done);
      if (count < 0) {
        throw RecordingCursor.shorter(source);
      }
      done += count;
    }
    return bytes;
  }

  /**
   * Tells an observer all of it, as the tap did.
   *
   * @return where the last record begins if it is not whole, in bytes from the start of the file;
   *     it is left out
   * @throws IOException if the file is damaged; the message says where
   */
  public OptionalLong replayTo(TapObserver observer) throws IOException {
    return replayTo(observer, Integer.MAX_VALUE);
  }

  /**
   * The same with the beginning of long messages only; {@link TapMessage#byteSize()} tells how long
   * they are.
   *
   * @param mostBytes of a message that are given, 65536 or more
   * @return where the last record begins if it is not whole
   * @throws IOException if the file is damaged; the message says where
   */
  public OptionalLong replayTo(TapObserver observer, int mostBytes) throws IOException {
    if (mostBytes < LEAST) {
      throw new IllegalArgumentException(
          "%d bytes of a message are too few: %d at least".formatted(mostBytes, LEAST));
    }
    var cursor = cursor();
    for (var entry = cursor.next(); entry != null; entry = cursor.next()) {
      var bytes = cursor.bytes(entry, mostBytes);
      if (bytes == null) {
        break;
      }
      switch (entry.kind()) {
        case CONNECTED -> observer.connected(entry.connection(), entry.nanos());
        case MESSAGE ->
            observer.message(
                new TapMessage(
                    entry.connection(),
                    entry.nanos(),
                    entry.direction(),
                    entry.isTwin(),
                    bytes,
                    entry.byteSize(),
                    entry.descriptors()));
        case DISCONNECTED ->
            observer.disconnected(
                entry.connection(), entry.nanos(), new String(bytes, StandardCharsets.UTF_8));
      }
      if (cursor.isDrained()) {
        observer.caughtUp();
      }
    }
    return cursor.cut();
  }

  @Override
  public void close() throws IOException {
    source.close();
  }

  @Override
  public String toString() {
    return "recording of " + start;
  }
}
