// SPDX-License-Identifier: Apache-2.0
/** Tests of several modules together: of the whole path on simulated hosts, and of the walls. */
@org.jspecify.annotations.NullMarked
module io.jvfio.proof {
  requires static org.jspecify;
  requires io.jvfio.cli;
  requires io.jvfio.examples;
  requires io.jvfio.junit;
  requires io.jvfio.lab;
  requires io.jvfio.nvme;
  requires io.jvfio.ops;
  requires io.jvfio.sim;
  requires io.jvfio.testkit;
  requires io.jvfio.user.tools;
  // com.sun.management tells how much a thread allocated, java.logging what was logged, jdk.jfr
  // what was recorded.
  requires java.logging;
  requires java.management;
  requires jdk.jfr;
  requires jdk.management;
}
