package io.jvfio.user;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * A recording that a {@link RecordingWriter} made. What it says of itself is not trusted: no memory
 * is taken for a length before the file is known to have it.
 *
 * <p>The messages stay in the file until they are wanted. One thread at a time.
 */
public final class UserRecording implements AutoCloseable {
  /** How many records are kept in an index; streaming has no such bound. */
  private static final int MAX_INDEX = 1 << 22;

  private final Path path;
  private final FileChannel file;
  private final ByteOrder order;
  private final Instant start;

  private UserRecording(Path path, FileChannel file, ByteOrder order, Instant start) {
    this.path = path;
    this.file = file;
    this.order = order;
    this.start = start;
  }

  /** What a record tells. */
  public enum Kind {
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
  public record Entry(
      Kind kind,
      int connection,
      long nanos,
      MessageDirection direction,
      boolean isTwin,
      List<MessageDescriptor> descriptors,
      long position,
      int byteSize) {
    /** Copies the list. */
    public Entry {
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
      return read(path, file);
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static UserRecording read(Path path, FileChannel file) throws IOException {
    long size = file.size();
    if (size < RecordingFormat.FILE_HEADER) {
      throw new IOException(path + " is no recording: it has " + MessageText.bytes(size));
    }
    var header = bytes(file, 0, RecordingFormat.FILE_HEADER);
    if (header.getLong() != RecordingFormat.MAGIC) {
      throw new IOException(path + " is no recording: it begins with something else");
    }
    int version = header.getInt();
    if (version != RecordingFormat.VERSION) {
      throw new IOException(
          "%s is a recording of version %s, and this jvfio reads version %d"
              .formatted(path, Integer.toUnsignedString(version), RecordingFormat.VERSION));
    }
    int mark = header.getInt();
    if (mark != RecordingFormat.ORDER && mark != Integer.reverseBytes(RecordingFormat.ORDER)) {
      throw new IOException(path + " is no recording: it has no known byte order");
    }
    var order = mark == RecordingFormat.ORDER ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
    var start = Instant.EPOCH.plus(header.getLong(), ChronoUnit.MICROS);
    return new UserRecording(path, file, order, start);
  }

  /** What is done with each record. */
  private interface Visitor {
    void visit(Entry entry) throws IOException;
  }

  private boolean visit(Visitor visitor) throws IOException {
    long size = file.size();
    long at = RecordingFormat.FILE_HEADER;
    while (size - at >= RecordingFormat.RECORD_HEADER) {
      var head = bytes(file, at, RecordingFormat.RECORD_HEADER);
      long length = Integer.toUnsignedLong(head.getInt());
      if (length < RecordingFormat.RECORD_HEADER || length > RecordingFormat.MAX_RECORD) {
        throw new IOException(
            "%s is damaged at byte %d: a record of %s"
                .formatted(path, at, MessageText.bytes(length)));
      }
      if (length > size - at) {
        break;
      }
      var entry = entry(head, at, (int) length);
      if (entry != null) {
        visitor.visit(entry);
      }
      at += length;
    }
    return at == size;
  }

  private @Nullable Entry entry(ByteBuffer head, long at, int length) throws IOException {
    var kind =
        switch (head.get()) {
          case RecordingFormat.CONNECTED -> Kind.CONNECTED;
          case RecordingFormat.MESSAGE -> Kind.MESSAGE;
          case RecordingFormat.DISCONNECTED -> Kind.DISCONNECTED;
          default -> null; // of a later version
        };
    if (kind == null) {
      return null;
    }
    int flags = head.get();
    int count = Short.toUnsignedInt(head.getShort());
    int connection = head.getInt();
    head.getInt();
    long nanos = head.getLong();
    long position = at + RecordingFormat.RECORD_HEADER;
    long end = at + length;
    var descriptors = new ArrayList<MessageDescriptor>();
    for (int i = 0; i < count; i++) {
      if (end - position < RecordingFormat.DESCRIPTOR_HEADER) {
        throw damaged(at);
      }
      var descriptor = bytes(file, position, RecordingFormat.DESCRIPTOR_HEADER);
      position += RecordingFormat.DESCRIPTOR_HEADER;
      int what = Byte.toUnsignedInt(descriptor.get());
      int nameSize = Byte.toUnsignedInt(descriptor.get());
      descriptor.getShort();
      descriptor.getInt();
      long byteSize = descriptor.getLong();
      if (end - position < nameSize) {
        throw damaged(at);
      }
      var name = new String(bytes(file, position, nameSize).array(), StandardCharsets.UTF_8);
      position += nameSize;
      var kinds = MessageDescriptor.Kind.values();
      descriptors.add(
          new MessageDescriptor(
              what < kinds.length ? kinds[what] : MessageDescriptor.Kind.OTHER,
              name,
              byteSize < 0 ? OptionalLong.empty() : OptionalLong.of(byteSize)));
    }
    return new Entry(
        kind,
        connection,
        nanos,
        (flags & RecordingFormat.TO_CLIENT) != 0
            ? MessageDirection.TO_CLIENT
            : MessageDirection.TO_SERVER,
        (flags & RecordingFormat.TWIN) != 0,
        descriptors,
        position,
        (int) (end - position));
  }

  private IOException damaged(long at) {
    return new IOException(
        "%s is damaged at byte %d: descriptors that are longer than their record"
            .formatted(path, at));
  }

  private static ByteBuffer bytes(FileChannel file, long position, int size) throws IOException {
    var buffer = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining()) {
      if (file.read(buffer, position + buffer.position()) < 0) {
        throw new IOException("the recording became shorter while it was read");
      }
    }
    return buffer.flip();
  }

  /** The byte order of the messages. */
  public ByteOrder order() {
    return order;
  }

  /** When it was begun. */
  public Instant start() {
    return start;
  }

  /**
   * The records, in the order in which they were made. Where the last is not whole, as when the tap
   * was killed, it is left out.
   *
   * @throws IOException if the file is damaged; the message says where
   */
  public List<Entry> entries() throws IOException {
    var entries = new ArrayList<Entry>();
    visit(
        entry -> {
          if (entries.size() == MAX_INDEX) {
            throw new IOException("%s has more than %,d records".formatted(path, MAX_INDEX));
          }
          entries.add(entry);
        });
    return entries;
  }

  /** The bytes of a record: a message, or why a connection was over. */
  public byte[] bytes(Entry entry) throws IOException {
    return bytes(file, entry.position(), entry.byteSize()).array();
  }

  /** A message of the recording. */
  public TapMessage message(Entry entry) throws IOException {
    return new TapMessage(
        entry.connection(),
        entry.nanos(),
        entry.direction(),
        entry.isTwin(),
        bytes(entry),
        entry.descriptors());
  }

  /**
   * Tells an observer all of it, as the tap did.
   *
   * @return whether the last record was whole; it is left out otherwise
   * @throws IOException if the file is damaged; the message says where
   */
  public boolean replayTo(TapObserver observer) throws IOException {
    return visit(
        entry -> {
          switch (entry.kind()) {
            case CONNECTED -> observer.connected(entry.connection(), entry.nanos());
            case MESSAGE -> observer.message(message(entry));
            case DISCONNECTED ->
                observer.disconnected(
                    entry.connection(),
                    entry.nanos(),
                    new String(bytes(entry), StandardCharsets.UTF_8));
          }
        });
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
