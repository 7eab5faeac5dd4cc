// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.HostDevice;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.junit.SimulatedHostTest;
import io.jvfio.nvme.NvmeController;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the documentation shows does what it says. */
class SnippetsTest {
  private static HostDevice nvme(VfioHost host) {
    return host.devices().stream().filter(HostDevice::isBoundToVfio).findFirst().orElseThrow();
  }

  @SimulatedHostTest({"x86-6.12", "pseries-5.10"})
  void ofAHost(VfioHost host) throws Exception {
    var printed = Output.of(() -> Snippets.host(host));
    assertThat(printed).containsAll(Snippets.host(host));
    assertThat(printed.getLast()).startsWith("works for every group: [");
    assertThat(Snippets.device(host, nvme(host).address())).isNotNegative();
  }

  @SimulatedHostTest({"x86-6.12", "pseries-6.12-noddw"})
  void ofADoctor(VfioHost host) throws Exception {
    var printed = Output.of(() -> Snippets.doctor(host));
    assertThat(Snippets.doctor(host)).isEqualTo(host.name().endsWith("noddw"));
    assertThat(printed).allMatch(line -> line.startsWith("FAIL ddw, 000"));
    assertThat(printed).hasSize(Snippets.doctor(host) ? 2 : 0);
  }

  @SimulatedHostTest("x86-6.12-iommufd")
  void ofAPolicy(VfioHost host) throws Exception {
    assertThat(Output.of(() -> Snippets.policy(host, nvme(host).address())))
        .containsExactly("type1");
  }

  @SimulatedHostTest({"x86-6.12", "powernv-6.12"})
  void ofADevice(VfioDevice device) throws Exception {
    assertThat(Snippets.space(device.dmaSpace())).isBetween(0L, 0xffff_ffffL);
    assertThat(Snippets.buffer(device.dmaSpace())).isEqualTo(4 << 20);
    assertThat(Snippets.interrupts(device)).isEqualTo(1);
    assertThat(Output.of(() -> Snippets.pci(device))).hasSizeGreaterThan(1);
    assertThat(Snippets.pci(device).vendor()).isEqualTo(0x1b36);
  }

  @SimulatedHostTest({"x86-6.12", "pseries-5.10"})
  void ofADisk(VfioDevice device) throws Exception {
    Snippets.namespace(device);
    try (var controller = NvmeController.open(device);
        var buffer = device.dmaSpace().allocate(8 * 4096)) {
      assertThat(Snippets.queue(controller, buffer)).isEqualTo(8);
      assertThat(Snippets.channel(controller.namespace(1))).isEqualTo(100);
    }
  }

  @Test
  void ofASocket(@TempDir Path directory) {
    assertThat(Snippets.served(directory.resolve("edu.sock"))).isEqualTo(0x010000ed);
  }

  @Test
  void ofAModel() {
    var function = Snippets.function(new long[1]);
    function.write(0, 0, 8, 7);
    assertThat(function.read(0, 0, 8)).isEqualTo(7);
    assertThat(function.read(0, 8, 4)).isEqualTo(1);
  }

  @Test
  void ofAFault() {
    assertThat(Snippets.simulated("x86-6.12"))
        .hasMessageContainingAll(Arrays.asList("VFIO_SET_IOMMU", "ENOMEM").toArray(String[]::new));
  }
}
