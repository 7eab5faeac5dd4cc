// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.HostDevice;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A second DMA window on sPAPR version 2, made when the default one has no room. */
class SecondWindowTest {
  private static final long MOST_OF_THE_DEFAULT_WINDOW = 600L << 20;

  @ParameterizedTest
  @CsvSource({"pseries-6.12, 600, 4096", "powernv-6.12, 1100, 65536", "powernv-5.10, 1100, 65536"})
  void isCreatedOnlyWhenTheDefaultWindowIsFull(String name, long mebibytes, long pageSize) {
    long mostOfTheDefaultWindow = mebibytes << 20;
    try (var simulated = SimulatedHosts.open(name)) {
      var before = simulated.resources();
      try (var device = open(name, simulated, IommuType.SPAPR_TCE_V2);
          var first = device.dmaSpace().allocate(mostOfTheDefaultWindow)) {
        assertThat(device.dmaSpace().windows()).hasSize(1);
        long end = device.dmaSpace().windows().getFirst().last();
        assertThat(first.iova() + first.byteSize() - 1).isLessThanOrEqualTo(end);
        try (var second = device.dmaSpace().allocate(mostOfTheDefaultWindow)) {
          assertThat(device.dmaSpace().windows()).hasSize(2);
          var window = device.dmaSpace().windows().getLast();
          assertThat(window.start()).isEqualTo(1L << 59);
          assertThat(window.pageSize()).isEqualTo(pageSize);
          assertThat(window.contains(second.iova(), second.byteSize())).isTrue();
        }
        try (var third = device.dmaSpace().allocate(mostOfTheDefaultWindow)) {
          assertThat(device.dmaSpace().windows())
              .as("the window stays and is used again")
              .hasSize(2);
          assertThat(third.iova()).isGreaterThan(end);
        }
      }
      assertThat(simulated.resources()).isEqualTo(before);
    }
  }

  @Test
  void isNotThereOnVersion1() {
    try (var simulated = SimulatedHosts.open("pseries-6.12");
        var device = open("pseries-6.12", simulated, IommuType.SPAPR_TCE);
        var first = device.dmaSpace().allocate(MOST_OF_THE_DEFAULT_WINDOW)) {
      var held = simulated.resources();
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(() -> device.dmaSpace().allocate(MOST_OF_THE_DEFAULT_WINDOW))
          .withMessageContaining("No valid IOVA range has 629,145,600 free bytes in one piece")
          .withMessageContaining("0x0..0x3fffffff");
      assertThat(simulated.resources()).as("nothing is left of the attempt").isEqualTo(held);
      assertThat(first.segment().scope().isAlive()).isTrue();
    }
  }

  private static VfioDevice open(String name, SimulatedHost simulated, IommuType type) {
    var host = VfioHost.of("sim:" + name, simulated.kernel());
    var address =
        host.devices().stream()
            .filter(HostDevice::isBoundToVfio)
            .map(HostDevice::address)
            .findFirst()
            .orElseThrow();
    return host.open(address, IommuPolicy.require(type));
  }
}
