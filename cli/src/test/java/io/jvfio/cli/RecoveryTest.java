// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.EehEndpoint;
import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.linux.Kernel;
import io.jvfio.nvme.NvmeController;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An NVMe controller on POWER, stopped by EEH and brought back. */
class RecoveryTest {
  @ParameterizedTest
  @CsvSource({
    "powernv-6.12, 0, HOT",
    "powernv-6.12, 6, FUNDAMENTAL",
    "powernv-5.10, 0, HOT",
  })
  void aControllerReadsItsDataAfterARecovery(String name, int error, EehEndpoint.Reset kind) {
    var options = HostOptions.defaults().withLockedMemoryLimit(Kernel.NO_LIMIT);
    try (var simulated = SimulatedHosts.open(name, options);
        var device = VfioHost.of(name, simulated.kernel()).open(PciAddress.parse("0000:01:00.0"));
        var buffer = device.dmaSpace().allocate(4096)) {
      var memory = buffer.segment().asSlice(0, 4096);
      var endpoint = device.eeh().orElseThrow();
      try (var controller = NvmeController.open(device)) {
        memory.fill((byte) 0x5a);
        controller.namespace(1).write(8, 8, buffer, 0);
      }

      endpoint.injectError(false, error, 0, 0);
      assertThatThrownBy(() -> NvmeController.open(device).close());
      assertThat(endpoint.isStopped()).isTrue();
      var recovery = endpoint.recover(kind);
      assertThat(recovery.before()).isEqualTo(EehEndpoint.State.STOPPED);
      assertThat(recovery.isWorking()).isTrue();

      memory.fill((byte) 0);
      try (var controller = NvmeController.open(device)) {
        controller.namespace(1).read(8, 8, buffer, 0);
      }
      assertThat(memory.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0x5a);
    }
  }
}
