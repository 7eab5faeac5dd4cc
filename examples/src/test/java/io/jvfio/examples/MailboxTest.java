// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The device of the example, in a simulated host. */
class MailboxTest {
  private static final String ADDRESS = "0000:00:01.0";

  @Test
  void squaresWhatIsPostedAndForgetsItByAReset() {
    var options =
        HostOptions.defaults()
            .withModels(address -> address.equals(ADDRESS) ? new Mailbox() : null);
    try (var host = SimulatedHosts.open("x86-6.12", options);
        var device = VfioHost.of("sim", host.kernel()).open(PciAddress.parse(ADDRESS));
        var slots = device.region(0).registers();
        var vectors = device.interrupts().enableMsix(Mailbox.SLOTS)) {
      device.enableBusMaster();
      slots.write64(16, 12);
      assertThat(vectors.vector(2).await(Duration.ofSeconds(10))).isEqualTo(1);
      assertThat(slots.read64(16)).isEqualTo(144);
      assertThat(vectors.vector(1).poll()).isZero();

      slots.write64(0, 5);
      device.reset();
      assertThat(slots.read64(0)).isZero();
      assertThat(slots.read64(16)).isZero();
    }
  }
}
