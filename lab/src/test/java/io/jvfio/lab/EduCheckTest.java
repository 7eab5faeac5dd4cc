// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.linux.Kernel;
import io.jvfio.model.edu.EduModel;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class EduCheckTest {
  private static final String ADDRESS = "0000:00:01.0";

  private static String check(int bits, boolean expected) {
    var printed = new ByteArrayOutputStream();
    try (var host =
            SimulatedHosts.open(
                "x86-6.12",
                HostOptions.defaults()
                    .withLockedMemoryLimit(Kernel.NO_LIMIT)
                    .withModels(address -> address.equals(ADDRESS) ? new EduModel(bits) : null));
        var device = VfioHost.of(host.name(), host.kernel()).open(PciAddress.parse(ADDRESS))) {
      var out = new PrintStream(printed, true, StandardCharsets.UTF_8);
      assertThat(EduCheck.check(device, out)).isEqualTo(expected);
    }
    return printed.toString(StandardCharsets.UTF_8);
  }

  @Test
  void findsADeviceThatWorks() {
    var printed = check(EduModel.DMA_BITS, true);

    assertThat(printed).doesNotContain("WRONG");
    assertThat(LaneReport.figure(printed, "iommu")).isEqualTo("type1v2");
    assertThat(LaneReport.figure(printed, "factorials-by-message")).isEqualTo("100");
    assertThat(LaneReport.figure(printed, "interrupts-by-line")).isEqualTo("100");
    assertThat(LaneReport.figure(printed, "copies-by-message")).isEqualTo("100");
    assertThat(LaneReport.figure(printed, "copies-by-line")).isEqualTo("100");
  }

  @Test
  void findsADeviceThatDoesNotReachItsMemory() {
    var printed = check(12, false);

    assertThat(printed).contains("copies-by-message 0 WRONG").contains("factorials-by-line 100\n");
  }
}
