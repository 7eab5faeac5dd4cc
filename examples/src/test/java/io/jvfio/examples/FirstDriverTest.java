// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.model.edu.EduModel;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import io.jvfio.user.VfioUserServer;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The first driver drives the device that it is written for, wherever that is. */
class FirstDriverTest {
  private static final String ADDRESS = "0000:00:01.0";

  private static String[] lines(String name) {
    return new String[] {name + " says 0x010000ed", "10! = 3628800", "There and back again"};
  }

  @Test
  void behindASocket(@TempDir Path directory) throws Exception {
    var socket = directory.resolve("edu.sock");
    try (var _ = VfioUserServer.serve(new EduModel(), socket)) {
      assertThat(Output.of(() -> FirstDriver.main(new String[] {"unix:" + socket})))
          .containsExactly(lines("unix:" + socket));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "x86-6.12-iommufd"})
  void inASimulatedHost(String name) throws Exception {
    var options =
        HostOptions.defaults()
            .withModels(address -> address.equals(ADDRESS) ? new EduModel() : null);
    try (var host = SimulatedHosts.open(name, options);
        var device = VfioHost.of(name, host.kernel()).open(PciAddress.parse(ADDRESS))) {
      assertThat(Output.of(() -> FirstDriver.drive(device))).containsExactly(lines(ADDRESS));
      assertThat(host.faults()).isEmpty();
    }
  }
}
