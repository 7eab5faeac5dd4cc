// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

/**
 * Learns what goes past a {@link UserTap}. One thread calls it, in the order of the messages: a
 * command before its reply. Peers wait while it is far behind, so that nothing is left out.
 */
public interface TapObserver {
  /**
   * A client has connected, and the tap to the server for it.
   *
   * @param connection 1 for the first
   * @param nanos since the start of the tap
   */
  default void connected(int connection, long nanos) {}

  /** A message, which is passed on at the same time. */
  void message(TapMessage message);

  /**
   * A connection is over.
   *
   * @param connection 1 for the first
   * @param nanos since the start of the tap
   * @param reason who ended it, as a clause
   */
  default void disconnected(int connection, long nanos, String reason) {}

  /** There is nothing more to tell for now: a time to write out what was kept back. */
  default void caughtUp() {}
}
