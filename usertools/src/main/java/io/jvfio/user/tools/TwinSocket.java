// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MalformedMessageException;
import io.jvfio.user.wire.VersionMessage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Finds the twin socket that a server hands its client with the reply to VERSION. */
final class TwinSocket {
  private TwinSocket() {}

  /** Which descriptor of the message it is; -1 if the message hands out none. */
  static int index(byte[] message) {
    if (message.length <= VersionMessage.BYTES) {
      return -1;
    }
    var header = ByteBuffer.wrap(message).order(ByteOrder.nativeOrder());
    long flags = Header.FLAGS.get(header, 0);
    if (Header.NUMBER.get(header, 0) != Command.VERSION.number()
        || (flags & Header.TYPE_MASK) != Header.REPLY
        || (flags & Header.ERROR) != 0) {
      return -1;
    }
    int end = message[message.length - 1] == 0 ? message.length - 1 : message.length;
    try {
      var told = Capabilities.parse(Arrays.copyOfRange(message, VersionMessage.BYTES, end));
      return told.twinSocket() ? told.twinSocketFd().orElse(-1) : -1;
    } catch (MalformedMessageException e) {
      return -1;
    }
  }
}
