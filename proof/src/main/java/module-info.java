/** Tests of several modules together: of the whole path on simulated hosts, and of the walls. */
module io.jvfio.proof {
  requires io.jvfio.cli;
  requires io.jvfio.examples;
  requires io.jvfio.lab;
  requires io.jvfio.nvme;
  requires io.jvfio.sim;
  requires io.jvfio.user.tools;
}
