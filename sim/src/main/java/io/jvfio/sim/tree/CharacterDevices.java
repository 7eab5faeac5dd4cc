// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.tree;

import io.jvfio.sim.device.HostDevice;
import io.jvfio.sim.files.FileNode;

/**
 * The files of sysfs for the devices that vfio has, and for their nodes where the kernel gives
 * some.
 */
final class CharacterDevices {
  private static final int MAJOR = 250;

  private CharacterDevices() {}

  /** The name of a device of vfio's, counted in the order in which they were bound. */
  static String name(HostDevice device) {
    return "vfio" + device.number();
  }

  /** Whether it has a node where the kernel gives any: not without an IOMMU. */
  static boolean has(HostDevice device) {
    return device.isOffered() && device.group() != null && !device.group().isNoIommu();
  }

  /**
   * Adds a device of vfio's.
   *
   * @param parent the device's directory, at {@code path} below {@code sys}
   */
  static void addTo(
      HostDevice device, FileNode.Directory sys, FileNode.Directory parent, String path) {
    var name = name(device);
    var directory = parent.directory("vfio-dev/" + name);
    directory.link("device", "../../../" + device.address());
    int depth = path.split("/", -1).length + 2;
    directory.link("subsystem", "../".repeat(depth) + "class/vfio-dev");
    var uevent = "";
    if (device.process().description().iommufd() != null && has(device)) {
      directory.text("dev", MAJOR + ":" + device.number());
      uevent =
          "MAJOR=" + MAJOR + "\nMINOR=" + device.number() + "\nDEVNAME=vfio/devices/" + name + "\n";
    }
    directory.bytes("uevent", ProcFiles.ascii(uevent));
    sys.directory("class/vfio-dev").link(name, "../../" + path + "/vfio-dev/" + name);
  }
}
