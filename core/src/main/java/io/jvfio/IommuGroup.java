// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;
import java.util.stream.Collectors;

/**
 * The smallest set of devices that the IOMMU can tell apart, as sysfs describes it.
 *
 * @param id its number, unique on the host
 * @param noIommu whether it stands for a single device that has no IOMMU
 * @param devices its PCI devices, by address
 */
public record IommuGroup(int id, boolean noIommu, List<HostDevice> devices) {

  /** Keeps a copy of the devices. */
  public IommuGroup {
    devices = List.copyOf(devices);
  }

  /** The devices in the hands of host drivers, which keep the group from being opened. */
  public List<HostDevice> blockers() {
    return devices.stream().filter(HostDevice::blocksGroup).toList();
  }

  /** Whether no device blocks it. */
  public boolean isViable() {
    return blockers().isEmpty();
  }

  /**
   * Whether at least one of its devices is bound to a VFIO driver, so that the group has a node to
   * open.
   */
  public boolean isBoundToVfio() {
    return devices.stream().anyMatch(HostDevice::isBoundToVfio);
  }

  /** The file to open. */
  public String node() {
    return noIommu ? "/dev/vfio/noiommu-" + id : "/dev/vfio/" + id;
  }

  /** Its name in messages. */
  public String label() {
    return "group "
        + id
        + devices.stream()
            .map(device -> device.address().toString())
            .collect(Collectors.joining(", ", " (", ")"));
  }

  @Override
  public String toString() {
    return label();
  }
}
