// SPDX-License-Identifier: Apache-2.0
package consumer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.jvfio.HostDevice;
import io.jvfio.VfioHost;
import io.jvfio.sim.SimulatedHosts;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReadsBlockTest {
  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "x86-6.12-iommufd", "arm64-6.12", "pseries-5.10", "pseries-6.12"})
  void readsAnEmptyDisk(String name) {
    try (var simulated = SimulatedHosts.open(name)) {
      var host = VfioHost.of(name, simulated.kernel());
      var nvme = host.devices().stream().filter(HostDevice::isBoundToVfio).findFirst();
      assertEquals(0, ReadsBlock.read(host, nvme.orElseThrow().address()));
    }
  }
}
