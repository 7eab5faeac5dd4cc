// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.VfioHost;
import io.jvfio.sim.SimulatedHosts;
import java.util.List;

/** Opens a host by its name on the command line. */
@FunctionalInterface
interface HostOpener {
  /** The name of this machine. */
  String LOCAL = "local";

  /** What comes before the name of a simulated host. */
  String SIMULATED = "sim:";

  /** This machine, and every simulated host. */
  HostOpener STANDARD =
      name -> {
        if (name.equals(LOCAL)) {
          return new OpenHost(VfioHost.local(), List::of, () -> {});
        }
        if (name.startsWith(SIMULATED)) {
          return OpenHost.of(name, SimulatedHosts.open(name.substring(SIMULATED.length())));
        }
        throw new IllegalArgumentException(
            "a host is 'local' or 'sim:NAME'; 'jvfio hosts' lists the names");
      };

  /**
   * Opens the host called {@code name}.
   *
   * @throws IllegalArgumentException if there is no such host
   */
  OpenHost open(String name);
}
