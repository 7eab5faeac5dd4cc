// SPDX-License-Identifier: Apache-2.0
/** VFIO for the JVM: hosts, groups, containers, IOMMU negotiation, DMA spaces and devices. */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("module") // io.jvfio.user is built after this module
module io.jvfio {
  requires static org.jspecify;
  requires transitive io.jvfio.linux;

  exports io.jvfio;
  // Devices of other servers than the kernel are for the modules that know how to talk to them.
  exports io.jvfio.spi to
      io.jvfio.user;
}
