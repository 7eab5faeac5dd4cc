/** Programs to copy from. */
@org.jspecify.annotations.NullMarked
module io.jvfio.examples {
  requires static org.jspecify;
  requires io.jvfio.nvme;
  requires io.jvfio.sim;
}
