// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.HotResetScope;
import io.jvfio.IommuPolicy;
import io.jvfio.PciAddress;
import io.jvfio.Sharing;
import io.jvfio.VfioException;
import io.jvfio.VfioGroups;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import io.jvfio.testkit.CopyEngine;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Resets of whole buses, through groups and through nodes of devices. */
class HotResetTest {
  private static final String GROUPS = "powernv-6.12";
  private static final String OLD_GROUPS = "powernv-5.10";
  private static final String NODES = "x86-6.12-iommufd";

  /** What an open device is given to do. */
  private interface Use extends BiConsumer<VfioGroups, Map<String, CopyEngine>> {}

  private static PciAddress address(String text) {
    return PciAddress.parse(text);
  }

  /** The device under test: below a bridge, and without a reset of its own. */
  private static String device(String host) {
    return host.equals(NODES) ? "0000:02:00.0" : "0000:01:00.0";
  }

  private static HostOptions options(String host) {
    return host.equals(NODES)
        ? OpenSpace.unlimited().withControllerBelowBridge(device(host), "0000:00:01.0")
        : OpenSpace.unlimited();
  }

  private static String neighbour(String host, int function) {
    return device(host).replace(".0", "." + function);
  }

  /** Opens the groups of {@code addresses} with engines at these, and proves that nothing leaks. */
  private static void on(String name, HostOptions options, List<String> addresses, Use use) {
    var engines =
        addresses.stream()
            .collect(Collectors.toMap(each -> each, _ -> new CopyEngine(0x1000, false)));
    try (var simulated = SimulatedHosts.open(name, options.withModels(engines::get))) {
      var before = simulated.resources();
      var host = VfioHost.of("sim:" + name, simulated.kernel());
      var ids =
          addresses.stream().map(each -> host.device(address(each)).group().orElseThrow()).toList();
      try (var groups = host.openGroups(ids, IommuPolicy.automatic(), Sharing.WHERE_POSSIBLE)) {
        use.accept(groups, engines);
      }
      assertThat(simulated.resources()).isEqualTo(before);
    }
  }

  private static int resets(Map<String, CopyEngine> engines, String address) {
    return (int) requireNonNull(engines.get(address)).read(0, CopyEngine.RESETS, 8);
  }

  @ParameterizedTest
  @ValueSource(strings = {GROUPS, OLD_GROUPS, NODES})
  void resetsADeviceThatIsAloneOnItsBus(String name) {
    on(
        name,
        options(name),
        List.of(device(name)),
        (groups, engines) -> {
          var device = groups.device(address(device(name)));
          assertThatExceptionOfType(VfioException.class)
              .isThrownBy(device::reset)
              .withMessageContaining("hotResetScope()");
          device.enableBusMaster();
          device.region(0).registers().write64(CopyEngine.SCRATCH, 7);
          var scope = device.hotResetScope();
          assertThat(scope.isPossible()).isTrue();
          assertThat(scope.devices())
              .singleElement()
              .satisfies(
                  affected -> {
                    assertThat(affected.address()).hasToString(device(name));
                    assertThat(affected.ours()).isTrue();
                    assertThat(affected.driver()).contains("vfio-pci");
                    assertThat(affected.deviceId().isPresent()).isEqualTo(name.equals(NODES));
                    assertThat(affected.group()).isPresent();
                  });
          int before = resets(engines, device(name));
          device.hotReset();
          assertThat(resets(engines, device(name))).isEqualTo(before + 1);
          assertThat(device.region(0).registers().read64(CopyEngine.SCRATCH)).isZero();
          assertThat(device.config().read16(4) & 6).as("configuration stays").isEqualTo(6);
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {GROUPS, NODES})
  void resetsAllOfABusWhoseGroupsWereOpenedTogether(String name) {
    var other = neighbour(name, 1);
    on(
        name,
        options(name).withNeighbour(other, device(name), "vfio-pci"),
        List.of(device(name), other),
        (groups, engines) -> {
          var device = groups.device(address(device(name)));
          groups.device(address(other));
          assertThat(device.hotResetScope().devices())
              .hasSize(2)
              .allMatch(HotResetScope.Affected::ours);
          int before = resets(engines, other);
          device.hotReset();
          assertThat(resets(engines, other)).isEqualTo(before + 1);
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {GROUPS, NODES})
  void namesANeighbourThatIsNotOpenHere(String name) {
    var other = neighbour(name, 1);
    on(
        name,
        options(name).withNeighbour(other, device(name), "vfio-pci"),
        List.of(device(name)),
        (groups, engines) -> {
          var device = groups.device(address(device(name)));
          var scope = device.hotResetScope();
          assertThat(scope.isPossible()).isFalse();
          assertThat(scope.obstacles())
              .singleElement()
              .satisfies(obstacle -> assertThat(obstacle.device()).hasToString(other));
          int before = resets(engines, device(name));
          assertThatExceptionOfType(VfioException.class)
              .isThrownBy(device::hotReset)
              .withMessageContainingAll(
                  "VFIO_DEVICE_PCI_HOT_RESET", other, "not open here", "openGroups");
          assertThat(resets(engines, device(name))).isEqualTo(before);
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {GROUPS, NODES})
  void namesTheHostDriverOfANeighbour(String name) {
    var other = neighbour(name, 2);
    on(
        name,
        options(name).withNeighbour(other, device(name), "nvme"),
        List.of(device(name)),
        (groups, _) ->
            assertThatExceptionOfType(VfioException.class)
                .isThrownBy(groups.device(address(device(name)))::hotReset)
                .withMessageContainingAll(other, "host driver nvme", "driver_override"));
  }

  @Test
  void namesTheProcessThatHasTheNeighboursGroup() {
    var other = neighbour(GROUPS, 1);
    var options = options(GROUPS).withNeighbour(other, device(GROUPS), "vfio-pci");
    int group;
    try (var look = SimulatedHosts.open(GROUPS, options)) {
      group = VfioHost.of(GROUPS, look.kernel()).device(address(other)).group().orElseThrow();
    }
    on(
        GROUPS,
        options.withGroupHeldBy(group, 99, "qemu-system-ppc"),
        List.of(device(GROUPS)),
        (groups, _) ->
            assertThatExceptionOfType(VfioException.class)
                .isThrownBy(groups.device(address(device(GROUPS)))::hotReset)
                .withMessageContaining("process 99 (qemu-system-ppc)"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "pseries-5.10", NODES})
  void thereIsNoneOnARootBus(String name) {
    var root = name.startsWith("x86") ? "0000:00:01.0" : "0000:00:00.0";
    on(
        name,
        OpenSpace.unlimited(),
        List.of(root),
        (groups, _) -> {
          var device = groups.device(address(root));
          assertThat(device.hotResetScope().devices()).isEmpty();
          assertThat(device.hotResetScope().isPossible()).isFalse();
          assertThatExceptionOfType(VfioException.class)
              .isThrownBy(device::hotReset)
              .withMessageContainingAll(root, "root bus");
        });
  }

  @Test
  void asksAgainWhenThereAreMoreThanThoughtOf() {
    var options = options(NODES);
    for (int function = 1; function < 8; function++) {
      options = options.withNeighbour(neighbour(NODES, function), device(NODES), "vfio-pci");
    }
    var all = options.withNeighbour("0000:02:01.0", device(NODES), "vfio-pci");
    on(
        NODES,
        all,
        List.of(device(NODES)),
        (groups, _) ->
            assertThat(groups.device(address(device(NODES))).hotResetScope().devices())
                .hasSize(9)
                .extracting(each -> each.address().toString())
                .isSorted()
                .endsWith("0000:02:01.0"));
  }

  /** Each call of a hot reset fails with each errno that the kernel could give. */
  @ParameterizedTest
  @ValueSource(strings = {GROUPS, NODES})
  void tellsOfEveryFailureAndLeavesNothing(String name) {
    var engine = new CopyEngine(0x1000, false);
    try (var simulated =
        SimulatedHosts.open(
            name, options(name).withModels(each -> each.equals(device(name)) ? engine : null))) {
      var before = simulated.resources();
      var injector = new FaultInjector(simulated.kernel());
      var host = VfioHost.of("sim:" + name, injector);
      try (var device = host.open(address(device(name)))) {
        var open = simulated.resources();
        int from = injector.calls().size();
        device.hotReset();
        int calls = injector.calls().size() - from;
        var errors =
            Arrays.asList(
                Errno.EPERM,
                Errno.EINVAL,
                Errno.EBUSY,
                Errno.EAGAIN,
                Errno.ENODEV,
                Errno.ENOMEM,
                Errno.EFAULT,
                Errno.ENOTTY,
                Errno.EIO);
        var failing =
            IntStream.range(from, from + calls)
                .filter(i -> injector.calls().get(i).operation().startsWith("VFIO"))
                .map(i -> i - from)
                .toArray();
        assertThat(failing).hasSize(2);
        for (int call : failing) {
          for (var errno : errors) {
            injector.failNone().failCall(injector.calls().size() + call, errno);
            assertThatExceptionOfType(VfioException.class)
                .as("call %d %s", call, errno.symbol())
                .isThrownBy(device::hotReset)
                .satisfies(failure -> assertThat(failure.meaning()).endsWith("."));
            assertThat(simulated.resources()).isEqualTo(open);
          }
        }
        injector.failNone();
        device.hotReset();
      }
      assertThat(simulated.resources()).isEqualTo(before);
    }
  }
}
