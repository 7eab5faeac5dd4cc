// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.user.wire.MessageDescriptor;
import java.util.List;

/**
 * A message that went past, as it was.
 *
 * @param connection which connection it was of: 1 for the first
 * @param nanos when its last byte came, in nanoseconds since the start
 * @param direction which way it went
 * @param isTwin whether it went over the twin socket
 * @param bytes all of it, or the beginning of a long one; not to be changed
 * @param byteSize how long it is
 * @param descriptors what came with it
 */
@SuppressWarnings("ArrayRecordComponent") // messages are long, and are not compared
public record TapMessage(
    int connection,
    long nanos,
    MessageDirection direction,
    boolean isTwin,
    byte[] bytes,
    int byteSize,
    List<MessageDescriptor> descriptors) {
  /**
   * Copies the list.
   *
   * @throws IllegalArgumentException if there are more bytes than the message has
   */
  public TapMessage {
    if (bytes.length > byteSize) {
      throw new IllegalArgumentException(
          "%d bytes of a message of %d".formatted(bytes.length, byteSize));
    }
    descriptors = List.copyOf(descriptors);
  }

  /** A whole message. */
  public TapMessage(
      int connection,
      long nanos,
      MessageDirection direction,
      boolean isTwin,
      byte[] bytes,
      List<MessageDescriptor> descriptors) {
    this(connection, nanos, direction, isTwin, bytes, bytes.length, descriptors);
  }

  /** Whether all of its bytes are there. */
  public boolean isWhole() {
    return bytes.length == byteSize;
  }
}
