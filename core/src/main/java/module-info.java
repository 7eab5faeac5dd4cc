// SPDX-License-Identifier: Apache-2.0
/**
 * VFIO for the JVM: hosts, groups, containers, IOMMU negotiation, DMA spaces and devices.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("module") // the modules named below are built after this one
module io.jvfio {
  requires static org.jspecify;
  requires static jdk.jfr; // a runtime without it has no events
  requires transitive io.jvfio.linux;

  exports io.jvfio;
  // Devices of other servers than the kernel are for the modules that know how to talk to them.
  // So is what the library knows about a host, for the module that examines hosts.
  exports io.jvfio.spi to
      io.jvfio.ops,
      io.jvfio.user;
  // Whether there is anything to make events for.
  exports io.jvfio.jfr to
      io.jvfio.model,
      io.jvfio.nvme,
      io.jvfio.user;
}
