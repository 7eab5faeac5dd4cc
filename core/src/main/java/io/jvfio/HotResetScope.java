// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The devices that a hot reset would hit, and whether it can be done now. Source: {@code
 * drivers/vfio/pci/vfio_pci_core.c}.
 *
 * @param devices all functions on the bus or in the slot, the asking one among them; empty where
 *     neither can be reset
 * @param obstacles what stands in the way; empty where the reset can be done
 */
public record HotResetScope(List<Affected> devices, List<Obstacle> obstacles) {

  /** A scope. */
  public HotResetScope {
    devices = List.copyOf(devices);
    obstacles = List.copyOf(obstacles);
  }

  /**
   * A function that would be reset.
   *
   * @param address where it is
   * @param group its IOMMU group; empty where it has none
   * @param deviceId its number in our iommufd; empty where it has none, or groups are used
   * @param driver its driver; empty where it has none
   * @param ours whether it is open here, or in a group that is
   */
  public record Affected(
      PciAddress address,
      OptionalInt group,
      OptionalInt deviceId,
      Optional<String> driver,
      boolean ours) {}

  /**
   * A reason why it cannot be done.
   *
   * @param device the function that stands in the way
   * @param meaning a sentence: why
   * @param nextStep a sentence: what the user can do; empty where there is nothing
   */
  public record Obstacle(PciAddress device, String meaning, String nextStep) {}

  /** Whether nothing stands in the way. */
  public boolean isPossible() {
    return obstacles.isEmpty();
  }
}
