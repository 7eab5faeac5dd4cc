// SPDX-License-Identifier: Apache-2.0
/**
 * PCI device models: devices written in Java, for a simulated host or a vfio-user server to plug
 * in.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("module") // the modules named below are built after this one
module io.jvfio.model {
  requires static org.jspecify;
  requires static jdk.jfr; // a runtime without it has no events
  requires transitive io.jvfio;

  exports io.jvfio.model;
  exports io.jvfio.model.edu;
  exports io.jvfio.model.gpio;
  exports io.jvfio.model.nvme;
  // For those who host models, not for those who write them.
  exports io.jvfio.model.host to
      io.jvfio.sim,
      io.jvfio.user;
}
