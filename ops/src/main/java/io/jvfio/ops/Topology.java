// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops;

import io.jvfio.HostDevice;
import io.jvfio.IommuGroup;
import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.ops.check.PciPath;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The PCI devices of a host as the tree that they are, with the group of each. Immutable; read from
 * sysfs, with nothing opened.
 *
 * @param host the host's name, such as {@code local}
 * @param roots the buses of host bridges, by name
 */
public record Topology(String host, List<Root> roots) {
  private static final String DEVICES = "/sys/bus/pci/devices/";

  /** Keeps a copy of the buses. */
  public Topology {
    roots = List.copyOf(roots);
  }

  /**
   * The bus of a host bridge.
   *
   * @param bus its name, such as {@code pci0000:00}
   * @param devices the devices on it, by address
   */
  public record Root(String bus, List<Node> devices) {
    /** Keeps a copy of the devices. */
    public Root {
      devices = List.copyOf(devices);
    }
  }

  /**
   * A device, and what is below it.
   *
   * @param device the device
   * @param group its group; empty where it has none
   * @param below the devices below it if it is a bridge, by address
   */
  public record Node(HostDevice device, Optional<IommuGroup> group, List<Node> below) {
    /** Keeps a copy of the devices. */
    public Node {
      below = List.copyOf(below);
    }
  }

  /**
   * The topology of a host as it is now.
   *
   * @throws VfioException if sysfs cannot be read
   */
  public static Topology of(VfioHost host) {
    var groups = new HashMap<PciAddress, IommuGroup>();
    for (var group : host.groups()) {
      group.devices().forEach(device -> groups.put(device.address(), group));
    }
    var devices = new HashMap<PciAddress, HostDevice>();
    host.devices().forEach(device -> devices.put(device.address(), device));
    var below = new TreeMap<PciAddress, List<HostDevice>>();
    var onRoots = new TreeMap<String, List<HostDevice>>();
    for (var device : host.devices()) {
      var path = PciPath.behind(host.kernel(), DEVICES + device.address());
      var parent =
          path.size() < 2 ? Optional.<PciAddress>empty() : Optional.of(path.get(path.size() - 2));
      if (parent.filter(devices::containsKey).isPresent()) {
        below.computeIfAbsent(parent.get(), _ -> new ArrayList<>()).add(device);
      } else {
        onRoots.computeIfAbsent(bus(device, path), _ -> new ArrayList<>()).add(device);
      }
    }
    return new Topology(
        host.name(),
        onRoots.entrySet().stream()
            .map(root -> new Root(root.getKey(), nodes(root.getValue(), below, groups)))
            .toList());
  }

  /** The name of the bus that is on top of a device. */
  private static String bus(HostDevice device, List<PciAddress> path) {
    var top = (path.isEmpty() ? device.address() : path.getFirst()).toString();
    return "pci" + top.substring(0, top.lastIndexOf(':'));
  }

  private static List<Node> nodes(
      List<HostDevice> devices,
      Map<PciAddress, List<HostDevice>> below,
      Map<PciAddress, IommuGroup> groups) {
    return devices.stream()
        .map(
            device ->
                new Node(
                    device,
                    Optional.ofNullable(groups.get(device.address())),
                    nodes(below.getOrDefault(device.address(), List.of()), below, groups)))
        .toList();
  }
}
