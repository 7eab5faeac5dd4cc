// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.user.tools.UserRecording.Entry;
import io.jvfio.user.tools.UserRecording.Kind;
import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.MessageText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * A place in a recording, from which records are read in their order. It has a window of the file
 * in memory and nothing else, however long the file is. One thread at a time.
 */
final class RecordingCursor {
  /** Room for the head of a record, and for any descriptor. */
  private static final int WINDOW = 64 << 10;

  private final RecordingSource source;
  private final ByteBuffer window =
      ByteBuffer.allocate(WINDOW).order(ByteOrder.LITTLE_ENDIAN).limit(0);

  /** Where in the recording the window begins. */
  private long windowStart;

  /** How long the recording is, as far as that is known. */
  private long size;

  /** Where the last record begins, and where the next one does. */
  private long last;

  private long at;

  RecordingCursor(RecordingSource source, long from) throws IOException {
    this.source = source;
    size = source.size();
    windowStart = from;
    at = from;
  }

  /** Whether there are so many bytes from a place on. */
  private boolean has(long position, int byteSize) throws IOException {
    if (position > size - byteSize) {
      return false;
    }
    long from = position - windowStart;
    if (from < 0 || from + byteSize > window.limit()) {
      return fill(position, byteSize);
    }
    return true;
  }

  /** Has the window begin at a place; what it has from there on is kept. */
  private boolean fill(long position, int byteSize) throws IOException {
    long from = position - windowStart;
    if (from >= 0 && from <= window.limit()) {
      window.position((int) from).compact();
    } else {
      window.clear();
    }
    windowStart = position;
    boolean isEnd = false;
    while (window.position() < byteSize && !isEnd) {
      isEnd = source.read(window, position + window.position()) < 0;
    }
    int have = window.position();
    window.flip();
    if (isEnd) {
      if (source.isFile()) {
        throw shorter(source);
      }
      size = source.size();
    }
    return have >= byteSize;
  }

  private int index(long position) {
    return (int) (position - windowStart);
  }

  /**
   * The next record of a kind that is known; null at the end.
   *
   * @throws IOException if the recording is damaged; the message says where
   */
  @Nullable Entry next() throws IOException {
    while (has(at, RecordingFormat.RECORD_HEADER)) {
      long length = Integer.toUnsignedLong(window.getInt(index(at)));
      if (length < RecordingFormat.RECORD_HEADER || length > RecordingFormat.MAX_RECORD) {
        throw new IOException(
            "%s is damaged at byte %d: a record of %s"
                .formatted(source.name(), at, MessageText.bytes(length)));
      }
      if (length > size - at) {
        return null;
      }
      last = at;
      at += length;
      var entry = entry(last, at);
      if (entry != null) {
        return entry;
      }
      if (at == last) {
        return null; // it ends within this record
      }
    }
    if (at > size) {
      at = last;
    }
    return null;
  }

  private @Nullable Entry entry(long begin, long end) throws IOException {
    int head = index(begin);
    var kind =
        switch (window.get(head + 4)) {
          case RecordingFormat.CONNECTED -> Kind.CONNECTED;
          case RecordingFormat.MESSAGE -> Kind.MESSAGE;
          case RecordingFormat.DISCONNECTED -> Kind.DISCONNECTED;
          default -> null; // of a later version
        };
    if (kind == null) {
      return null;
    }
    int flags = window.get(head + 5);
    int count = Short.toUnsignedInt(window.getShort(head + 6));
    int connection = window.getInt(head + 8);
    long nanos = window.getLong(head + 16);
    long position = begin + RecordingFormat.RECORD_HEADER;
    var descriptors = new ArrayList<MessageDescriptor>(0);
    for (int i = 0; i < count; i++) {
      int descriptorSize = RecordingFormat.DESCRIPTOR_HEADER;
      if (end - position < descriptorSize) {
        throw damaged(begin);
      }
      if (!has(position, descriptorSize)) {
        at = last;
        return null;
      }
      int what = Byte.toUnsignedInt(window.get(index(position)));
      int nameSize = Byte.toUnsignedInt(window.get(index(position) + 1));
      long byteSize = window.getLong(index(position) + 8);
      position += descriptorSize;
      if (end - position < nameSize) {
        throw damaged(begin);
      }
      if (!has(position, nameSize)) {
        at = last;
        return null;
      }
      var name = new byte[nameSize];
      window.get(index(position), name);
      position += nameSize;
      var kinds = MessageDescriptor.Kind.values();
      descriptors.add(
          new MessageDescriptor(
              what < kinds.length ? kinds[what] : MessageDescriptor.Kind.OTHER,
              new String(name, StandardCharsets.UTF_8),
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

  private IOException damaged(long record) {
    return new IOException(
        "%s is damaged at byte %d: descriptors that are longer than their record"
            .formatted(source.name(), record));
  }

  /** Where the record begins that {@link #next} has returned. */
  long begin() {
    return last;
  }

  /**
   * The first bytes of a record that {@link #next} has returned, or all; null if the recording ends
   * before them.
   *
   * @throws IOException if this JVM has no memory for them
   */
  byte @Nullable [] bytes(Entry entry, int most) throws IOException {
    var bytes = allocate(source, entry, Math.min(entry.byteSize(), most));
    for (int done = 0; done < bytes.length; ) {
      int part = Math.min(bytes.length - done, WINDOW);
      long position = entry.position() + done;
      if (!has(position, part)) {
        at = last;
        return null;
      }
      window.get(index(position), bytes, done, part);
      done += part;
    }
    return bytes;
  }

  /** What a file has done that somebody writes to. */
  static IOException shorter(RecordingSource source) {
    return new IOException(source.name() + " became shorter while it was read");
  }

  /**
   * Memory for bytes of a record that the file is known to have.
   *
   * @throws IOException if there is none
   */
  static byte[] allocate(RecordingSource source, Entry entry, int byteSize) throws IOException {
    try {
      return new byte[byteSize];
    } catch (OutOfMemoryError e) {
      throw new IOException(
          "%s has a message of %s at byte %d, which this JVM has no memory for; give it more with -Xmx"
              .formatted(source.name(), MessageText.bytes(entry.byteSize()), entry.position()),
          e);
    }
  }

  /** Whether what comes next has to be waited for, perhaps. */
  boolean isDrained() {
    return at >= windowStart + window.limit();
  }

  /** Behind the end: where the last record begins, if it is not whole. */
  OptionalLong cut() {
    return size == at ? OptionalLong.empty() : OptionalLong.of(at);
  }
}
