// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.user.wire.Header;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A connection in a recording: its messages are read from the file again wherever they are wanted.
 *
 * @param recording which one
 * @param number of the connection
 * @param begin where its first record is
 */
record ReplayConnection(UserRecording recording, int number, long begin) {
  /** From its first message on. */
  Cursor cursor() throws IOException {
    return new Cursor(this);
  }

  /** All connections of a recording, in the order in which they began. */
  static All all(UserRecording recording) throws IOException {
    return new All(recording);
  }

  /** A place in a connection. One thread at a time. */
  static final class Cursor {
    private final int connection;
    private final RecordingCursor records;
    private @Nullable ReplayMessage next;
    private boolean isOver;
    private int count;

    private Cursor(ReplayConnection connection) throws IOException {
      this.connection = connection.number;
      records = connection.recording.cursor(connection.begin);
    }

    /** The next message, which stays the next; null at the end. */
    @Nullable ReplayMessage peek() throws IOException {
      while (next == null && !isOver) {
        var entry = records.next();
        if (entry == null) {
          isOver = true;
        } else if (entry.connection() == connection) {
          isOver = entry.kind() == UserRecording.Kind.DISCONNECTED;
          // Without a header there is nothing that could be answered.
          if (entry.kind() == UserRecording.Kind.MESSAGE && entry.byteSize() >= Header.SIZE) {
            var header = records.bytes(entry, Header.SIZE);
            if (header != null) {
              count++;
              next = ReplayMessage.of(count, entry, header);
            }
          }
        }
      }
      return next;
    }

    /** The next message; null at the end. */
    @Nullable ReplayMessage next() throws IOException {
      var message = peek();
      next = null;
      return message;
    }

    /** How many messages were read. */
    int count() {
      return count;
    }
  }

  /** A place between connections. A later one has a higher number, as a tap gives them. */
  static final class All {
    private final UserRecording recording;
    private final RecordingCursor records;
    private long last = -1;

    private All(UserRecording recording) throws IOException {
      this.recording = recording;
      records = recording.cursor();
    }

    /** The next connection; null at the end. */
    @Nullable ReplayConnection next() throws IOException {
      for (var entry = records.next(); entry != null; entry = records.next()) {
        long number = Integer.toUnsignedLong(entry.connection());
        if (number > last) {
          last = number;
          return new ReplayConnection(recording, entry.connection(), records.begin());
        }
      }
      return null;
    }
  }
}
