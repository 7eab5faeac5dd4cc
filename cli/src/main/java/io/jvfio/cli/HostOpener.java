// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.VfioHost;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.sim.SimulatedHosts;
import java.util.List;

/** Opens a host by its name on the command line. */
@FunctionalInterface
interface HostOpener {
  /** The name of this machine. */
  String LOCAL = "local";

  /** What comes before the name of a simulated host. */
  String SIMULATED = "sim:";

  /** What comes before the file of a recorded host. */
  String RECORDED = "file:";

  /** This machine, every simulated host, and every recorded one. */
  HostOpener STANDARD =
      name -> {
        if (name.equals(LOCAL)) {
          return new OpenHost(VfioHost.local(), LinuxKernel.instance(), List::of, () -> {});
        }
        if (name.startsWith(SIMULATED)) {
          return OpenHost.of(name, SimulatedHosts.open(name.substring(SIMULATED.length())));
        }
        if (name.startsWith(RECORDED)) {
          return OpenHost.of(name, SimulatedHosts.open(name));
        }
        throw new IllegalArgumentException(
            "a host is 'local', 'sim:NAME' or 'file:FILE'; 'jvfio hosts' lists the names, and 'jvfio record-host' makes"
                + " a file");
      };

  /**
   * Opens the host called {@code name}.
   *
   * @throws IllegalArgumentException if there is no such host
   */
  OpenHost open(String name);
}
