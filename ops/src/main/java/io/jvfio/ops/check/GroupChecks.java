// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import io.jvfio.HostDevice;
import io.jvfio.IommuGroup;
import io.jvfio.PciAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Looks at groups: whether they can be opened, and what keeps their devices together.
 *
 * <p>Source of the rules: {@code pci_device_group} in {@code drivers/iommu/iommu.c}; Access Control
 * Services: PCI Express Base Specification 6.0, section 7.7.11.
 */
final class GroupChecks {
  private static final String GROUPS = "/sys/kernel/iommu_groups/";
  private static final int EXTENDED = 0x100;
  private static final int ACS = 0x000d;
  private static final int ACS_CONTROL = 6;

  /** Source Validation, Request Redirect, Completion Redirect, Upstream Forwarding. */
  private static final int ISOLATING = 0x1 | 0x4 | 0x8 | 0x10;

  private GroupChecks() {}

  /** Whether there is a group to use, and each can be opened. */
  static void groups(Examination at) {
    if (at.asked().isEmpty() && at.devicesOfInterest().isEmpty()) {
      at.finding(
              "devices",
              Examination.HOST,
              "Only a device that a VFIO driver has can be opened.",
              "/sys/bus/pci/devices/*/driver")
          .warn(
              "No device is bound to a VFIO driver.",
              "Bind one to vfio-pci through its driver_override; 'jvfio doctor DEVICE' says how.");
    }
    for (var group : at.groupsOfInterest()) {
      viability(at, group);
      isolation(at, group);
    }
  }

  private static void viability(Examination at, IommuGroup group) {
    var finding =
        at.finding(
            "viable",
            group.label(),
            "The IOMMU cannot tell devices of a group apart, so all of them are given away, or none.",
            GROUPS + group.id() + "/devices");
    if (group.isViable()) {
      finding.pass(
          "No host driver has a device of it: %s."
              .formatted(
                  group.devices().stream()
                      .map(HostDevice::label)
                      .collect(Collectors.joining(", "))));
      return;
    }
    var advice = at.knowledge().notViable(group);
    var needed = new ArrayList<String>();
    for (var blocker : group.blockers()) {
      var uses = UseChecks.uses(at, blocker);
      if (!uses.isEmpty()) {
        needed.add("%s %s".formatted(blocker.address(), String.join(", ", uses)));
      }
    }
    finding.fail(
        advice.meaning(),
        needed.isEmpty()
            ? advice.nextStep()
            : "Leave it to the host: %s. Put the device that you want into another slot, where it gets a group of its"
                    .formatted(String.join("; ", needed))
                + " own.");
  }

  private static void isolation(Examination at, IommuGroup group) {
    if (group.noIommu()) {
      return; // nothing is isolated then, which no-iommu tells
    }
    var finding =
        at.finding(
            "isolation",
            group.label(),
            "Devices of one group can reach each other past the IOMMU, so they go together, to one user.",
            GROUPS + group.id() + "/devices");
    var devices = group.devices().stream().filter(device -> !device.isBridge()).toList();
    if (devices.size() < 2) {
      finding.pass("The device is alone in its group.");
      return;
    }
    var slots = devices.stream().map(device -> slot(device.address())).distinct().toList();
    var found =
        "%d devices share the group: %s."
            .formatted(
                devices.size(),
                devices.stream().map(HostDevice::label).collect(Collectors.joining(", ")));
    if (slots.size() == 1) {
      finding.warn(
          found + " They are functions of one card that do not say that they are separate (ACS).",
          "");
      return;
    }
    var ports = new ArrayList<String>();
    for (var port : portsAbove(at, devices)) {
      finding.lookedAt("/sys/bus/pci/devices/" + port + "/config");
      ports.add(port + " " + accessControl(at, port));
    }
    finding.warn(
        found
            + (ports.isEmpty()
                ? " They are on one bus, which no port parts."
                : " Ports above them: %s.".formatted(String.join(", ", ports))),
        "Put the device that you want into another slot, below a port that has ACS.");
  }

  private static String slot(PciAddress address) {
    var text = address.toString();
    return text.substring(0, text.lastIndexOf('.'));
  }

  /** The ports between the host bridge and some devices, from the top, each once. */
  private static List<PciAddress> portsAbove(Examination at, List<HostDevice> devices) {
    return devices.stream()
        .flatMap(
            device -> {
              var path = PciPath.behind(at.kernel(), "/sys/bus/pci/devices/" + device.address());
              return path.stream().limit(Math.max(0, path.size() - 1L));
            })
        .distinct()
        .toList();
  }

  /** What a port says about the control of access between those below it. */
  private static String accessControl(Examination at, PciAddress port) {
    var config = at.files().bytes("/sys/bus/pci/devices/" + port + "/config");
    if (config.length <= EXTENDED) {
      return "(ACS not known here: its configuration space is for root)";
    }
    int offset = EXTENDED;
    for (int left = config.length / Integer.BYTES; left > 0; left--) {
      if (offset < EXTENDED || offset + 8 > config.length) {
        break;
      }
      if (little16(config, offset) == ACS) {
        boolean isOn = (little16(config, offset + ACS_CONTROL) & ISOLATING) == ISOLATING;
        return isOn ? "has ACS on" : "has ACS, which is off";
      }
      offset = little16(config, offset + 2) >> 4 & 0xffc;
    }
    return "has no ACS";
  }

  private static int little16(byte[] bytes, int offset) {
    return (bytes[offset] & 0xff) | ((bytes[offset + 1] & 0xff) << 8);
  }
}
