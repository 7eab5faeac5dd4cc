/** VFIO for the JVM: hosts, groups, containers, IOMMU negotiation, DMA spaces and devices. */
@org.jspecify.annotations.NullMarked
module io.jvfio {
  requires static org.jspecify;
  requires transitive io.jvfio.linux;

  exports io.jvfio;
}
