// SPDX-License-Identifier: Apache-2.0
package io.jvfio.spi;

import io.jvfio.HostDevice;
import io.jvfio.IommuGroup;
import io.jvfio.IommuPolicy;
import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.kernel.GroupAdvice;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.MachineBridge;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What the library knows about a host beyond its groups and devices, and what it advises: for
 * modules that examine hosts, so that they say what a failed {@code open} says. Safe for use by
 * several threads.
 */
public final class HostKnowledge {
  private final HostFacts facts;
  private final GroupAdvice advice;

  private HostKnowledge(HostFacts facts) {
    this.facts = facts;
    this.advice = new GroupAdvice(facts);
  }

  /** What is known about {@code host}. */
  public static HostKnowledge of(VfioHost host) {
    return new HostKnowledge(new HostFacts(host.kernel(), Map.of()));
  }

  /** By what this is known to be a virtual machine; empty where nothing says so. */
  public Optional<String> virtualMachineSign() {
    return facts.virtualMachineSign();
  }

  /** Whether this is a guest on POWER. */
  public boolean isPowerGuest() {
    return facts.isPowerGuest();
  }

  /** How many more bytes this process may lock; empty where no limit binds it. */
  public OptionalLong lockableMemory() {
    return facts.lockableMemory();
  }

  /** Whether Dynamic DMA Windows may be missing for a device. */
  public boolean mayLackDynamicWindows(PciAddress device) {
    return facts.mayLackDynamicWindows(device);
  }

  /** The processes that have files open whose paths begin so, by path, where this one may know. */
  public Map<String, String> holders(String prefix) {
    return facts.holders(prefix);
  }

  /** The node of a device's own, through which iommufd is used; empty where it has none. */
  public Optional<String> deviceNode(PciAddress device) {
    return facts.deviceNode(device);
  }

  /** What part of the machine a device is, if it is one that vfio-pci is not for. */
  public Optional<String> machineBridge(HostDevice device) {
    return MachineBridge.of(device);
  }

  /** Why no device of the host has a group. */
  public Explanation noGroups() {
    return advice.noGroups();
  }

  /** Why a device has no group. */
  public Explanation noGroup(HostDevice device) {
    return advice.noGroup(device, IommuPolicy.automatic());
  }

  /** Why a device that no VFIO driver has cannot be opened. */
  public Explanation notBound(HostDevice device, Optional<IommuGroup> group) {
    return GroupAdvice.notBound(device, group);
  }

  /** Why a group with a device in other hands cannot be opened. */
  public Explanation notViable(IommuGroup group) {
    return GroupAdvice.notViable(group);
  }
}
