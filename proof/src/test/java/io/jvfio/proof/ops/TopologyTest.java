// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.ops;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.HostDevice;
import io.jvfio.VfioHost;
import io.jvfio.ops.Topology;
import io.jvfio.proof.core.OtherFiles;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TopologyTest {
  private static Topology topology(String name, HostOptions options, OtherFiles files) {
    try (var simulated = SimulatedHosts.open(name, options)) {
      return Topology.of(VfioHost.of(name, files.over(simulated.kernel())));
    }
  }

  private static Topology topology(String name) {
    return topology(name, HostOptions.defaults(), new OtherFiles());
  }

  private static List<String> flat(List<Topology.Node> nodes, String before) {
    var lines = new ArrayList<String>();
    for (var node : nodes) {
      lines.add(before + node.device().address());
      lines.addAll(flat(node.below(), before + " "));
    }
    return lines;
  }

  private static List<String> flat(Topology topology) {
    var lines = new ArrayList<String>();
    for (var root : topology.roots()) {
      lines.add(root.bus());
      lines.addAll(flat(root.devices(), " "));
    }
    return lines;
  }

  static List<String> hosts() {
    return SimulatedHosts.names();
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void everyDeviceIsThereOnceWithItsGroup(String name) {
    try (var simulated = SimulatedHosts.open(name)) {
      var host = VfioHost.of(name, simulated.kernel());
      assertThat(flat(Topology.of(host)).stream().map(String::strip))
          .filteredOn(line -> !line.startsWith("pci"))
          .containsExactlyInAnyOrderElementsOf(
              host.devices().stream().map(HostDevice::address).map(Object::toString).toList());
    }
  }

  @Test
  void whatIsBelowABridgeIsBelowIt() {
    assertThat(flat(topology("powernv-6.12")))
        .containsExactly(
            "pci0000:00",
            " 0000:00:00.0",
            "  0000:01:00.0",
            "pci0001:00",
            " 0001:00:00.0",
            "  0001:01:00.0");
    var root = topology("powernv-6.12").roots().getFirst();
    assertThat(root.devices().getFirst().group()).isEmpty();
    assertThat(root.devices().getFirst().below().getFirst().group().orElseThrow().id()).isZero();
  }

  /** A bridge that sysfs does not list is passed over. */
  @Test
  void aDeviceWithoutAPathIsOnTheBusOfItsAddress() {
    var files = new OtherFiles().without("/sys/bus/pci/devices/0000:01:00.0");
    assertThat(flat(topology("powernv-6.12", HostOptions.defaults(), files)))
        .contains("pci0000:01", " 0000:01:00.0");
  }

  @Test
  void aHostWithoutPciHasNoTree() {
    var files = new OtherFiles().directory("/sys/bus/pci/devices");
    assertThat(topology("x86-6.12", HostOptions.defaults(), files).roots()).isEmpty();
  }
}
