// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.IommuPolicy;
import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.ErrnoException;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SimulatedHostsTest {
  static List<String> names() {
    return SimulatedHosts.names();
  }

  @Test
  void allHostsAreThere() {
    assertThat(SimulatedHosts.names())
        .containsExactly(
            "x86-6.12",
            "x86-6.12-iommufd",
            "x86-noiommu",
            "arm64-6.12",
            "powernv-5.10",
            "powernv-6.12",
            "pseries-5.10",
            "pseries-6.8",
            "pseries-6.12",
            "pseries-6.12-noddw");
  }

  @Test
  void anUnknownHostNamesThoseThatThereAre() {
    assertThatThrownBy(() -> SimulatedHosts.open("vax"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'vax'")
        .hasMessageContaining("pseries-6.12-noddw");
    assertThatThrownBy(() -> SimulatedHosts.description("vax"))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aSiblingNeedsADeviceToBeBeside() {
    var options = HostOptions.defaults().withSibling("0000:00:09.1", "0000:00:09.0", "e1000e");
    assertThatThrownBy(() -> SimulatedHosts.open("x86-6.12", options))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0000:00:09.0");
  }

  @ParameterizedTest
  @MethodSource("names")
  void aHostSaysWhatItIs(String name) {
    try (var host = SimulatedHosts.open(name)) {
      assertThat(host.name()).isEqualTo(name);
      assertThat(host.description()).isEqualTo(SimulatedHosts.description(name)).endsWith(".");
      assertThat(host.kernel()).isSameAs(host.kernel());
      assertThat(host.faults()).isEmpty();
      assertThat(host.kernel().pageSize()).isEqualTo(name.startsWith("powernv") ? 65536 : 4096);
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void aHostHasAnNvmeControllerInEachOfItsGroups(String name) throws ErrnoException {
    try (var host = SimulatedHosts.open(name)) {
      var kernel = host.kernel();
      var bound = kernel.list("/sys/bus/pci/drivers/vfio-pci");
      assertThat(bound).hasSize(name.equals("x86-6.12-iommufd") ? 3 : 2);
      for (var device : bound) {
        var directory = "/sys/bus/pci/devices/" + device;
        assertThat(kernel.readText(directory + "/class")).isEqualTo("0x010802");
        assertThat(kernel.list(directory + "/iommu_group/devices")).containsExactly(device);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void theLibraryLeavesNothingBehind(String name) {
    // Without windows, failed attempts cost locked memory for good: the kernel forgets to give
    // back.
    try (var host = SimulatedHosts.open(name)) {
      var before = host.resources();
      var vfio = VfioHost.of("sim:" + name, host.kernel());
      var device =
          vfio.devices().stream()
              .filter(each -> each.driver().filter("vfio-pci"::equals).isPresent())
              .findFirst()
              .orElseThrow();
      open(vfio, device.address(), name);
      assertThat(host.resources().openFiles()).isEqualTo(before.openFiles());
      assertThat(host.resources().attachedGroups()).isZero();
      assertThat(host.resources().deviceMappings()).isZero();
      assertThat(host.resources().anonymousMappings()).isZero();
      assertThat(host.resources().dmaMappedBytes()).isZero();
      assertThat(host.resources().drivers()).isEqualTo(before.drivers());
    }
  }

  private static void open(VfioHost vfio, PciAddress address, String name) {
    var policy =
        name.equals("x86-noiommu")
            ? IommuPolicy.require(io.jvfio.IommuType.NOIOMMU)
            : IommuPolicy.automatic();
    if (name.equals("pseries-6.12-noddw")) {
      assertThatThrownBy(() -> vfio.open(address, policy)).isInstanceOf(VfioException.class);
      return;
    }
    try (var device = vfio.open(address, policy)) {
      assertThat(device.regions()).isNotEmpty();
    }
  }

  @Test
  void aClosedHostFreesItsModelsAndCanBeClosedAgain() {
    var engine = new CopyEngine(8);
    var host =
        SimulatedHosts.open(
            "x86-6.12",
            HostOptions.defaults()
                .withModels(address -> address.equals("0000:00:01.0") ? engine : null));
    host.close();
    host.close();
    assertThat(engine.closed).isTrue();
  }

  @Test
  void memoryOutlivesItsHostForAsLongAsASegmentShowsIt() {
    try (var lifetime = Arena.ofShared()) {
      var guest = new Guest("x86-6.12");
      long address = guest.memory(0x1000);
      var segment = guest.kernel.memory(address, 0x1000, lifetime);
      guest.close();
      segment.set(ValueLayout.JAVA_INT, 0, 5);
      assertThat(segment.get(ValueLayout.JAVA_INT, 0)).isEqualTo(5);
    }
  }

  @Test
  void aSegmentEndsWithItsArena() {
    try (var guest = new Guest("x86-6.12")) {
      long address = guest.memory(0x1000);
      var lifetime = Arena.ofShared();
      var segment = guest.kernel.memory(address, 0x1000, lifetime);
      lifetime.close();
      assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_INT, 0))
          .isInstanceOf(IllegalStateException.class);
    }
  }
}
