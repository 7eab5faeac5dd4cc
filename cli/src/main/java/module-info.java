// SPDX-License-Identifier: Apache-2.0
/** The {@code jvfio} command. */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("module") // io.jvfio.lab is built after this module
module io.jvfio.cli {
  requires static org.jspecify;
  requires com.fasterxml.jackson.core;
  requires info.picocli;
  requires io.jvfio.nvme;
  requires io.jvfio.ops;
  requires io.jvfio.sim;
  requires io.jvfio.user.tools;
  requires HdrHistogram;
  requires java.management;
  requires jdk.jfr; // whoever operates the command records what it does
  // Only for pictures as PNG, and for counting what is allocated: a small Java runtime has neither.
  requires static java.desktop;
  requires static jdk.management;
  requires static java.logging; // where it is not there, messages go to standard error all the same

  opens io.jvfio.cli to
      info.picocli; // it reads the options of command classes by reflection
  opens io.jvfio.cli.bench to
      info.picocli; // and makes converters
  opens io.jvfio.cli.option to
      info.picocli;

  exports io.jvfio.cli to
      io.jvfio
          .lab, // the lab compares what the command prints inside a guest with the simulated host
      java.logging; // which makes an OperatorLog
}
