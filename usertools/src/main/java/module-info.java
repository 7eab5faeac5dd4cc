// SPDX-License-Identifier: Apache-2.0
/**
 * The instruments of vfio-user: a tap between client and server, recordings and their replay,
 * messages as text, and a check of how a server keeps to the protocol.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("module") // the modules named below are built after this one
module io.jvfio.user.tools {
  requires static org.jspecify;
  requires transitive io.jvfio.user;
  requires com.fasterxml.jackson.core;

  exports io.jvfio.user.tools;
  exports io.jvfio.user.conform;
}
