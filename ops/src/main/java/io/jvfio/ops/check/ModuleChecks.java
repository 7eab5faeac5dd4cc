// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import io.jvfio.HostDevice;
import io.jvfio.IommuGroup;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.util.Optional;
import java.util.stream.Stream;

/** Looks at the modules of VFIO, and at the nodes through which they are used. */
final class ModuleChecks {
  private static final String MODULES = "/sys/module/";
  private static final String PCI_DRIVER = "/sys/bus/pci/drivers/vfio-pci";
  private static final String CONTAINER = "/dev/vfio/vfio";
  private static final String IOMMUFD = "/dev/iommu";
  private static final String WHY_NODE =
      "A device is used through nodes that this process can open.";

  private ModuleChecks() {}

  private static boolean isLoaded(Examination at, String module) {
    return at.files().exists(MODULES + module);
  }

  /** Whether the driver that gives devices away is there, and one that knows the IOMMU. */
  static void modules(Examination at) {
    var driver =
        at.finding(
            "modules",
            "vfio-pci",
            "It is the driver that gives a device away; without it no device can be bound.",
            MODULES + "vfio_pci",
            MODULES + "vfio_pci_core",
            PCI_DRIVER);
    if (isLoaded(at, "vfio_pci")
        || isLoaded(at, "vfio_pci_core")
        || at.files().exists(PCI_DRIVER)) {
      driver.pass("Loaded.");
    } else {
      var release = at.release().orElse("unknown");
      boolean hasModules = at.files().directory("/lib/modules/" + release).isPresent();
      driver.lookedAt("/lib/modules");
      driver.fail(
          hasModules
              ? "Neither loaded nor built in."
              : "Neither loaded nor built in, and /lib/modules has none for this kernel (%s)."
                  .formatted(release),
          hasModules
              ? "modprobe vfio-pci"
              : "modprobe vfio-pci, where this kernel's modules are installed (in a container: on its host); or boot a"
                  + " kernel that has it (CONFIG_VFIO_PCI).");
    }
    iommuDriver(at);
  }

  private static void iommuDriver(Examination at) {
    var name = at.isPower() ? "vfio_iommu_spapr_tce" : "vfio_iommu_type1";
    var finding =
        at.finding(
            "modules",
            name,
            "It makes a container map memory; without it no IOMMU type is known.",
            MODULES + name,
            MODULES + "iommufd");
    if (isLoaded(at, name)) {
      finding.pass("Loaded.");
    } else if (at.isPower()) {
      finding.warn(
          "Not loaded; one that is built into the kernel does not show.", "modprobe " + name);
    } else if (isLoaded(at, "iommufd") || at.files().exists(IOMMUFD)) {
      finding.pass("Not loaded; iommufd is there in its place.");
    } else {
      finding.fail("Neither it nor iommufd is loaded or built in.", "modprobe " + name);
    }
  }

  /** Whether the nodes are there, and this process may open them. */
  static void nodes(Examination at) {
    sharedNode(at, CONTAINER, isLoaded(at, "vfio") || at.files().exists(CONTAINER), IOMMUFD);
    sharedNode(at, IOMMUFD, isLoaded(at, "iommufd"), CONTAINER);
    for (var group : at.groupsOfInterest()) {
      if (group.isBoundToVfio()) {
        ownNode(at, group.node(), group.label());
        holder(at, group);
        group.devices().forEach(device -> deviceNode(at, device));
      }
    }
  }

  /**
   * A node that many may open.
   *
   * @param isExpected whether its module is there, so that opening it loads none
   * @param other the node that stands in for it
   */
  private static void sharedNode(Examination at, String path, boolean isExpected, String other) {
    var finding = at.finding("node", path, WHY_NODE, path);
    if (!isExpected && at.files().exists(other)) {
      finding.pass("Its module is not loaded; %s is there in its place.".formatted(other));
    } else if (!isExpected) {
      finding.unknown("its module is not loaded.");
    } else if (!at.files().exists(path)) {
      if (at.files().exists(other)) {
        finding.pass("Not there; %s is there in its place.".formatted(other));
      } else {
        finding.fail("Not there, though its module is.", "udevadm trigger --name-match=" + path);
      }
    } else if (isOpenable(at, finding, path)) {
      int fd = at.kernel().open(path, Kernel.O_RDWR, 0);
      if (fd >= 0) {
        at.kernel().close(fd);
        finding.pass("It opens.");
      } else {
        refused(finding, path, fd);
      }
    }
  }

  private static void refused(Examination.Open finding, String path, int result) {
    var errno = Errno.ofResult(result);
    if (errno.equals(Errno.EPERM)) {
      finding.fail(
          "It does not open (EPERM), though its mode allows it: the cgroup of this process forbids the device.",
          "Start the container with --device " + path);
    } else {
      finding.fail("It does not open: " + errno.symbol() + ".", "");
    }
  }

  /** Whether this process may open a node; ends the finding where it may not. */
  private static boolean isOpenable(Examination at, Examination.Open finding, String path) {
    int result = at.kernel().access(path, Kernel.R_OK | Kernel.W_OK);
    if (result >= 0) {
      return true;
    }
    var errno = Errno.ofResult(result);
    if (errno.equals(Errno.EACCES)) {
      finding.fail(
          "This process may not open it (EACCES).",
          path.equals(CONTAINER) ? "chmod 0666 " + path : "chown \"$USER\" " + path);
    } else if (errno.equals(Errno.ENOENT)) {
      finding.fail("Not there.", "udevadm trigger --name-match=" + path);
    } else {
      finding.unknown("whether it can be opened (%s).".formatted(errno.symbol()));
    }
    return false;
  }

  /** A node that one process at a time has; it is not opened. */
  private static void ownNode(Examination at, String path, String whose) {
    var finding = at.finding("node", path, WHY_NODE, path);
    if (isOpenable(at, finding, path)) {
      finding.pass("This process may open it: %s.".formatted(whose));
    }
  }

  private static void deviceNode(Examination at, HostDevice device) {
    at.knowledge()
        .deviceNode(device.address())
        .ifPresent(path -> ownNode(at, path, "device " + device.address()));
  }

  /** Who has a group, or a device of it, open. */
  private static void holder(Examination at, IommuGroup group) {
    var finding =
        at.finding(
            "holder",
            group.label(),
            "A group is open in one process at a time; the next one gets EBUSY.",
            "/proc/*/fd",
            group.node());
    var processes = at.files().directory("/proc");
    if (processes.isEmpty()) {
      finding.unknown("there is no /proc.");
      return;
    }
    var holder =
        Stream.concat(
                Stream.of(group.node()),
                group.devices().stream()
                    .map(device -> at.knowledge().deviceNode(device.address()))
                    .flatMap(Optional::stream))
            .flatMap(node -> Optional.ofNullable(at.holders().get(node)).stream())
            .findFirst();
    if (holder.isEmpty()) {
      finding.pass("No process that shows its files to this one has it open.");
    } else if (at.asked().isEmpty()) {
      finding.warn("Process %s has it.".formatted(holder.get()), "");
    } else {
      finding.fail(
          "Process %s has it.".formatted(holder.get()),
          "End that process, or have it close the device.");
    }
  }
}
