package io.jvfio.lab;

import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The groups that the suite may use, by ordinal: those whose only device is an NVMe controller in
 * the hands of vfio-pci, in the order of their addresses. Sequences say {@code {g0}} for the number
 * of the first group and {@code {d0}} for the address of its device.
 */
record Machine(List<Group> groups) {
  /** A group and its device. */
  record Group(String number, String device) {}

  private static final String NVME = "0x010802";

  Machine {
    groups = List.copyOf(groups);
  }

  static Machine discover(Kernel kernel) throws ErrnoException {
    var groups = new ArrayList<Group>();
    for (var node : kernel.list("/dev/vfio")) {
      if (!node.chars().allMatch(Character::isDigit)) {
        continue;
      }
      var devices = kernel.list("/sys/kernel/iommu_groups/" + node + "/devices");
      if (devices.size() == 1 && isController(kernel, devices.getFirst())) {
        groups.add(new Group(node, devices.getFirst()));
      }
    }
    groups.sort(Comparator.comparing(Group::device));
    if (groups.size() < 2) {
      throw new IllegalStateException(
          "the suite needs two groups of one NVMe controller each, bound to vfio-pci, and found "
              + groups);
    }
    return new Machine(groups);
  }

  private static boolean isController(Kernel kernel, String device) throws ErrnoException {
    var directory = "/sys/bus/pci/devices/" + device;
    return kernel.readText(directory + "/class").equals(NVME)
        && kernel.readLink(directory + "/driver").endsWith("/vfio-pci");
  }

  String resolve(String text) {
    var resolved = text;
    for (int i = 0; i < groups.size(); i++) {
      resolved =
          resolved
              .replace("{g" + i + "}", groups.get(i).number())
              .replace("{d" + i + "}", groups.get(i).device());
    }
    return resolved;
  }
}
