/**
 * PCI device models: devices written in Java, for a simulated host or a vfio-user server to plug
 * in.
 */
@org.jspecify.annotations.NullMarked
module io.jvfio.model {
  requires static org.jspecify;
  requires transitive io.jvfio;

  exports io.jvfio.model;
}
