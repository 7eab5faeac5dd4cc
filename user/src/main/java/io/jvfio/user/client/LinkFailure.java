// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;

/**
 * Why nothing can be sent or received over a connection any more.
 *
 * @param errno what calls answer from then on
 * @param meaning a sentence: what it means
 * @param nextStep a sentence: what the user can do
 * @param isFinal whether a new connection would be of no use
 */
record LinkFailure(Errno errno, String meaning, String nextStep, boolean isFinal) {
  /** We have closed it. */
  static LinkFailure closed() {
    return new LinkFailure(Errno.ENOTCONN, "The device is closed.", "", true);
  }

  /** The server has gone, or has closed the connection; or the kernel has ended it. */
  static LinkFailure lost(Errno errno) {
    boolean isServers = errno.equals(Errno.ECONNRESET) || errno.equals(Errno.EPIPE);
    return new LinkFailure(
        isServers ? Errno.ECONNRESET : errno,
        isServers
            ? "The server has closed the connection, or has ended."
            : "The kernel ended the connection (" + errno.symbol() + ").",
        "Start the server again and open the device anew, or let it reconnect by itself"
            + " (VfioUserOptions.withReconnect).",
        false);
  }

  /** The same where it came of trying for a new connection. */
  LinkFailure after(LinkFailure lost) {
    return new LinkFailure(
        errno,
        "The connection was lost (%s), and no new one could be made: %s"
            .formatted(lost.errno.symbol(), meaning),
        nextStep,
        true);
  }

  /** The server has not done {@code what} in time. */
  static LinkFailure late(String what, long nanos) {
    return new LinkFailure(
        Errno.ETIMEDOUT,
        "The server did not %s within %,d ms, so the connection was given up."
            .formatted(what, nanos / 1_000_000),
        "Look whether the server hangs; VfioUserOptions.withRequestTimeout allows it more time.",
        false);
  }

  /** The server has sent what no server may. */
  static LinkFailure senseless(String what) {
    return new LinkFailure(
        Errno.EPROTO,
        "The server does not keep to the protocol: " + what + ". The connection was given up.",
        "Report it to the server's author; 'jvfio user tap' shows the messages.",
        true);
  }

  /** Descriptors came that could not be taken. */
  static LinkFailure tooManyDescriptors() {
    return new LinkFailure(
        Errno.EMSGSIZE,
        "The server sent more descriptors than it may, or this process has no room for them.",
        "Compare 'ls /proc/PID/fd | wc -l' with 'ulimit -n'; if there is room, report it to the server's author.",
        true);
  }
}
