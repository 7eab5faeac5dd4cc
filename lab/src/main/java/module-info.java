// SPDX-License-Identifier: Apache-2.0
/** The conformance suite that is run inside real kernels, and the report of a lane. */
@org.jspecify.annotations.NullMarked
module io.jvfio.lab {
  requires HdrHistogram;
  requires com.fasterxml.jackson.core;
  requires io.jvfio.cli;
  requires io.jvfio.linux;
  requires io.jvfio.nvme;
  requires io.jvfio.sim;
  requires io.jvfio.user.tools;
  requires java.management;
  requires static org.jspecify;
}
