// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.UnixSocket;
import io.jvfio.user.VfioUserOptions;
import io.jvfio.user.wire.Capabilities;

/**
 * What a client and a server have agreed on.
 *
 * @param minor the minor version
 * @param capabilities what the server says of itself
 * @param transfer the longest data of one message, in bytes, that both sides take
 */
record Peer(int minor, Capabilities capabilities, int transfer) {
  static Peer of(int minor, Capabilities capabilities, VfioUserOptions options) {
    return new Peer(
        minor,
        capabilities,
        (int) Math.min(capabilities.maxDataTransfer(), options.maxDataTransfer()));
  }

  /** How many descriptors one message to the server may have. */
  int maxFds() {
    return Math.min(capabilities.maxMessageFds(), UnixSocket.MAX_DESCRIPTORS);
  }
}
