// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.user.wire.Header;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A message of a recorded connection, without its payload.
 *
 * @param number which message of the connection, counted from 1
 * @param entry where it is
 * @param id what its sender calls it
 * @param command the number of the command
 * @param flags of its header
 */
record ReplayMessage(int number, UserRecording.Entry entry, int id, int command, int flags) {
  /** Of the header that it begins with. */
  static ReplayMessage of(int number, UserRecording.Entry entry, byte[] header) {
    var fields = ByteBuffer.wrap(header).order(ByteOrder.nativeOrder());
    return new ReplayMessage(
        number,
        entry,
        (int) Header.ID.get(fields, 0),
        (int) Header.NUMBER.get(fields, 0),
        (int) Header.FLAGS.get(fields, 0));
  }

  MessageDirection direction() {
    return entry.direction();
  }

  boolean isReply() {
    return (flags & Header.TYPE_MASK) == Header.REPLY;
  }

  /** Whether it is a command in this direction. */
  boolean isCommand(MessageDirection way) {
    return direction() == way && !isReply();
  }

  /** Whether it wants no reply. */
  boolean isQuiet() {
    return (flags & Header.NO_REPLY) != 0;
  }
}
