// SPDX-License-Identifier: Apache-2.0
/**
 * vfio-user: a device behind a UNIX socket, used as any other device, and device models served to
 * whoever connects.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("module") // the modules named below are built after this one
module io.jvfio.user {
  requires static org.jspecify;
  requires static jdk.jfr; // a runtime without it has no events
  requires transitive io.jvfio;
  requires transitive io.jvfio.model;
  requires com.fasterxml.jackson.core;

  exports io.jvfio.user;
  // The protocol's messages, for those who look at them or send malformed ones.
  exports io.jvfio.user.wire to
      io.jvfio.user.tools,
      io.jvfio.cli,
      io.jvfio.lab,
      io.jvfio.bench;
}
