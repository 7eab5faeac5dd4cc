// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.DeviceFeature;
import io.jvfio.EehEndpoint;
import io.jvfio.HostDevice;
import io.jvfio.HotResetScope;
import io.jvfio.PciBar;
import io.jvfio.PciCapability;
import io.jvfio.PciDevice;
import io.jvfio.PciIdentity;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What {@code jvfio show} tells of an open device. What this kernel does not tell is empty.
 *
 * @param known what sysfs says of it; empty for a device behind a socket
 * @param device the device
 * @param identity who made it
 * @param present whether it answers
 * @param bars its BARs by index
 * @param capabilities its capabilities
 * @param hotReset what a reset of its bus would reach
 * @param features what the kernel can do with it beyond the rest; empty where it knows no features
 * @param endpoint its endpoint's state, on POWER
 * @param endpointProblem why the endpoint has no state, on POWER
 */
record DeviceReport(
    Optional<HostDevice> known,
    VfioDevice device,
    PciIdentity identity,
    boolean present,
    Map<Integer, PciBar> bars,
    List<PciCapability> capabilities,
    Optional<HotResetScope> hotReset,
    Optional<List<DeviceFeature>> features,
    Optional<EehEndpoint.State> endpoint,
    Optional<String> endpointProblem) {

  static DeviceReport of(Optional<HostDevice> known, VfioDevice device) {
    var pci = PciDevice.of(device);
    EehEndpoint.@Nullable State state = null;
    @Nullable String problem = null;
    if (device.eeh().isPresent()) {
      try {
        state = device.eeh().get().state();
      } catch (VfioException e) {
        problem = e.meaning();
      }
    }
    return new DeviceReport(
        known,
        device,
        pci.identity(),
        pci.isPresent(),
        pci.bars().stream().collect(Collectors.toMap(PciBar::index, Function.identity())),
        pci.capabilities(),
        told(device::hotResetScope),
        told(() -> List.copyOf(new TreeSet<>(device.features().supported()))),
        Optional.ofNullable(state),
        Optional.ofNullable(problem));
  }

  private static <T> Optional<T> told(Supplier<T> question) {
    try {
      return Optional.of(question.get());
    } catch (VfioException | UnsupportedOperationException e) {
      return Optional.empty(); // an older kernel, or a device that is none of the kernel's
    }
  }
}
