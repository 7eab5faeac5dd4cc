// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.VfioHost;
import io.jvfio.linux.Kernel;
import io.jvfio.sim.IommuFault;
import io.jvfio.sim.SimulatedHost;
import java.util.List;
import java.util.function.Supplier;

/**
 * A host, until the command is done with it.
 *
 * @param host the host
 * @param kernel its kernel
 * @param faults what its devices did to memory that was not mapped for them, so far; told when the
 *     command is done
 * @param release what to do then
 */
record OpenHost(VfioHost host, Kernel kernel, Supplier<List<String>> faults, Runnable release)
    implements AutoCloseable {

  /** A simulated host. */
  static OpenHost of(String name, SimulatedHost simulated) {
    return new OpenHost(
        VfioHost.of(name, simulated.kernel()),
        simulated.kernel(),
        () -> simulated.faults().stream().map(OpenHost::describe).toList(),
        simulated::close);
  }

  private static String describe(IommuFault fault) {
    return "device %s %s IOVA 0x%x: %s"
        .formatted(
            fault.device(), fault.write() ? "wrote to" : "read", fault.iova(), fault.reason());
  }

  @Override
  public void close() {
    release.run();
  }
}
