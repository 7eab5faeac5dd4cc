package io.jvfio.user;

import java.util.List;

/**
 * A message that went past, as it was.
 *
 * @param connection which connection it was of: 1 for the first
 * @param nanos when its last byte came, in nanoseconds since the start
 * @param direction which way it went
 * @param isTwin whether it went over the twin socket
 * @param bytes all of it; not to be changed
 * @param descriptors what came with it
 */
@SuppressWarnings("ArrayRecordComponent") // messages are long, and are not compared
public record TapMessage(
    int connection,
    long nanos,
    MessageDirection direction,
    boolean isTwin,
    byte[] bytes,
    List<MessageDescriptor> descriptors) {
  /** Copies the list. */
  public TapMessage {
    descriptors = List.copyOf(descriptors);
  }
}
