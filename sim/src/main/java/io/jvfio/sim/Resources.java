// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import java.util.Map;

/**
 * The resources that the process holds on a simulated host at one moment. Equal before and after
 * means that nothing leaked.
 *
 * @param openFiles descriptors, without the three that every process starts with
 * @param anonymousMappings pieces of anonymous memory, or of memory files, that are mapped
 * @param deviceMappings BARs, or parts of them, that are mapped
 * @param dmaMappedBytes bytes that some device can reach through an IOMMU
 * @param lockedBytes the process's {@code locked_vm}, {@code VmLck} in {@code /proc/self/status}
 * @param hugePageBytes bytes of huge pages that are taken from the machine's pools
 * @param openDevices devices that are open, each counted once
 * @param interrupts signals that the kernel would send or take: vectors, lines and notifiers with
 *     an eventfd, and eventfds that cause writes to a BAR
 * @param attachedGroups groups that are in a container
 * @param drivers the driver of each device by the device's address; an empty string for none
 */
public record Resources(
    int openFiles,
    int anonymousMappings,
    int deviceMappings,
    long dmaMappedBytes,
    long lockedBytes,
    long hugePageBytes,
    int openDevices,
    int interrupts,
    int attachedGroups,
    Map<String, String> drivers) {

  /** Copies {@code drivers}. */
  public Resources {
    drivers = Map.copyOf(drivers);
  }
}
