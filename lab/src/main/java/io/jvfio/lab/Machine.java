// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The groups that the suite may use, by ordinal: those whose only device is an NVMe controller in
 * the hands of vfio-pci, in the order of their addresses. Sequences say {@code {g0}} for the number
 * of the first group, {@code {d0}} for the address of its device and {@code {v0}} for that device's
 * own node. Groups that no IOMMU protects are apart, as {@code {n0}} with device {@code {u0}}.
 */
record Machine(List<Group> groups, List<Group> unprotected) {
  /**
   * A group and its device.
   *
   * @param number the group's number
   * @param device the device's address
   * @param node the name of the device's own node, such as {@code vfio0}; empty if it has none
   */
  record Group(String number, String device, String node) {}

  private static final String NVME = "0x010802";
  private static final String NO_IOMMU = "noiommu-";

  Machine {
    groups = List.copyOf(groups);
    unprotected = List.copyOf(unprotected);
  }

  static Machine discover(Kernel kernel) throws ErrnoException {
    var groups = new ArrayList<Group>();
    var unprotected = new ArrayList<Group>();
    for (var node : kernel.list("/dev/vfio")) {
      boolean isUnprotected = node.startsWith(NO_IOMMU);
      var number = isUnprotected ? node.substring(NO_IOMMU.length()) : node;
      if (!number.chars().allMatch(Character::isDigit)) {
        continue;
      }
      var devices = kernel.list("/sys/kernel/iommu_groups/" + number + "/devices");
      if (devices.size() == 1 && isController(kernel, devices.getFirst())) {
        var device = devices.getFirst();
        (isUnprotected ? unprotected : groups)
            .add(new Group(number, device, ownNode(kernel, device)));
      }
    }
    groups.sort(Comparator.comparing(Group::device));
    unprotected.sort(Comparator.comparing(Group::device));
    if (groups.size() < 2) {
      throw new IllegalStateException(
          "the suite needs two groups of one NVMe controller each, bound to vfio-pci, and found "
              + groups);
    }
    return new Machine(groups, unprotected);
  }

  private static boolean isController(Kernel kernel, String device) throws ErrnoException {
    var directory = "/sys/bus/pci/devices/" + device;
    return kernel.readText(directory + "/class").equals(NVME)
        && kernel.readLink(directory + "/driver").endsWith("/vfio-pci");
  }

  /** Kernels before 6.1 have no such directory, and not all others give devices nodes. */
  private static String ownNode(Kernel kernel, String device) {
    try {
      return kernel.list("/sys/bus/pci/devices/" + device + "/vfio-dev").getFirst();
    } catch (ErrnoException e) {
      return "";
    }
  }

  String resolve(String text) {
    var resolved = text;
    for (int i = 0; i < groups.size(); i++) {
      resolved =
          resolved
              .replace("{g" + i + "}", groups.get(i).number())
              .replace("{d" + i + "}", groups.get(i).device())
              .replace("{v" + i + "}", groups.get(i).node());
    }
    for (int i = 0; i < unprotected.size(); i++) {
      resolved =
          resolved
              .replace("{n" + i + "}", unprotected.get(i).number())
              .replace("{u" + i + "}", unprotected.get(i).device());
    }
    return resolved;
  }
}
