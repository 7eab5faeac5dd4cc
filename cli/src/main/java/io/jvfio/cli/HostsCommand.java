// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Table;
import io.jvfio.sim.SimulatedHosts;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParentCommand;

/** {@code jvfio hosts}. */
@Command(
    name = "hosts",
    description = "List the simulated hosts and what each imitates.",
    mixinStandardHelpOptions = true)
final class HostsCommand implements Runnable {
  @ParentCommand @Nullable Main main;

  @Override
  public void run() {
    var output = Objects.requireNonNull(main).output();
    if (output.isJson()) {
      output.json(
          Json.object(
              "hosts",
              SimulatedHosts.names().stream()
                  .map(
                      name ->
                          Json.object(
                              "host",
                              HostOpener.SIMULATED + name,
                              "description",
                              SimulatedHosts.description(name)))
                  .toList()));
      return;
    }
    var table = new Table("", "HOST", "IMITATES");
    SimulatedHosts.names()
        .forEach(name -> table.row(HostOpener.SIMULATED + name, SimulatedHosts.description(name)));
    output.table(table);
  }
}
