// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Looks at what kind of machine this is: its kernel, who made it, and whether a container is around
 * this process.
 *
 * <p>Source of what kernels do differently: {@code drivers/vfio/}, {@code arch/powerpc/} of Linux
 * 4.2, 5.10, 6.1, 6.8, 6.12 and 7.2.
 */
final class MachineChecks {
  private static final String TREE = "/sys/firmware/devicetree/base";
  private static final String DMI = "/sys/class/dmi/id/";
  private static final List<String> CONTAINER_MARKS =
      List.of("/.dockerenv", "/run/.containerenv", "/run/systemd/container");

  private MachineChecks() {}

  /** The kernel's version, and what follows from it. */
  static void kernel(Examination at) {
    var finding =
        at.finding(
            "kernel",
            Examination.HOST,
            "Kernels differ in which IOMMU types they take and when they tell that a group is not viable.",
            Examination.OSRELEASE);
    var release = at.release();
    var version = at.version();
    if (version.isEmpty()) {
      finding.unknown(
          release
              .map(text -> "the kernel calls itself '" + text + "'.")
              .orElse("the kernel does not tell its version."));
      return;
    }
    var name = "Linux " + release.orElseThrow();
    if (at.isPower()) {
      power(at, finding, name, version.get());
    } else {
      finding.pass(name + ": " + String.join("; ", notes(version.get())) + ".");
    }
  }

  private static void power(
      Examination at, Examination.Open finding, String name, KernelRelease version) {
    if (version.isSince(5, 19) && !version.isSince(6, 4)) {
      finding.fail(
          name
              + " cannot do VFIO on POWER: from 5.19 to 6.3 vfio-pci binds no device there (EINVAL).",
          "Boot Linux 6.4 or later, or one before 5.19.");
      return;
    }
    boolean isGuest = at.knowledge().isPowerGuest();
    finding.pass(
        name
            + ": "
            + (isGuest
                ? version.isSince(6, 11)
                    ? "sPAPR v1 and v2 are both accepted, even where neither can map for want of"
                        + " Dynamic DMA Windows; groups need a container each"
                    : version.isSince(6, 4)
                        ? "sPAPR v2 is advertised and refused with EINVAL; v1 borrows the host's window"
                        : "sPAPR v2 is advertised and refused with EPERM; v1 works"
                : version.isSince(6, 4)
                    ? "sPAPR v1 and v2 work on bare metal"
                    : version.isSince(4, 2)
                        ? "sPAPR v1 is refused with EPERM on bare metal; v2 works"
                        : "sPAPR v1 only, and one group in a container")
            + ".");
  }

  private static List<String> notes(KernelRelease version) {
    var notes = new ArrayList<String>();
    notes.add(
        version.isSince(5, 19)
            ? "a group that is not viable is told at SET_CONTAINER"
            : "a group that is not viable is told only at GET_DEVICE_FD");
    notes.add(version.isSince(6, 2) ? "it can have iommufd" : "it has no iommufd");
    if (version.isSince(6, 2)) {
      notes.add(
          version.isSince(6, 6)
              ? "devices can have nodes of their own"
              : "devices have no nodes of their own");
    }
    notes.add(
        version.isSince(7, 2)
            ? "Type1 nesting is gone"
            : "Type1 nesting is advertised, and settable on few IOMMUs");
    return notes;
  }

  /** Bare metal or guest, and how that is known. */
  static void platform(Examination at) {
    var finding =
        at.finding(
            "platform",
            Examination.HOST,
            "It decides where an IOMMU is turned on: in the firmware, or by the hypervisor.");
    if (at.isPower()) {
      powerPlatform(at, finding.lookedAt(TREE + "/compatible").lookedAt(TREE + "/hypervisor"));
      return;
    }
    finding
        .lookedAt(DMI + "sys_vendor")
        .lookedAt(DMI + "product_name")
        .lookedAt("/proc/cpuinfo")
        .lookedAt(TREE);
    var architecture = at.kernel().architecture().toString();
    var sign = at.knowledge().virtualMachineSign();
    if (sign.isPresent()) {
      finding.pass("%s, a virtual machine: %s.".formatted(architecture, sign.get()));
      return;
    }
    var maker =
        at.files()
            .text(DMI + "sys_vendor")
            .map(
                vendor ->
                    at.files()
                        .text(DMI + "product_name")
                        .map(product -> vendor + " " + product)
                        .orElse(vendor));
    if (maker.isPresent()) {
      finding.pass(
          "%s, bare metal as far as it tells: its firmware calls it '%s'."
              .formatted(architecture, maker.get()));
    } else {
      finding.unknown(
          "the machine is %s, and neither firmware, processor nor device tree says who made it."
              .formatted(architecture));
    }
  }

  private static void powerPlatform(Examination at, Examination.Open finding) {
    var files = at.files();
    var compatible = strings(files.text(TREE + "/compatible"));
    if (compatible.isEmpty()) {
      finding.unknown("the device tree cannot be read.");
    } else if (compatible.contains("ibm,powernv")) {
      finding.pass("POWER, bare metal: the device tree is that of 'ibm,powernv'.");
    } else if (strings(files.text(TREE + "/hypervisor/compatible")).contains("linux,kvm")) {
      finding.pass(
          "POWER, a pSeries guest of KVM: the device tree's hypervisor is 'linux,kvm'. Whether that is HV or PR"
              + " KVM only its host can tell (lsmod: kvm_hv or kvm_pr).");
    } else if (compatible.contains("qemu,pseries")) {
      finding.pass(
          "POWER, a pSeries guest of QEMU without KVM: the device tree is that of 'qemu,pseries', and has no"
              + " hypervisor that is 'linux,kvm'.");
    } else if (files.exists(TREE + "/ibm,partition-no") || files.exists("/proc/ppc64/lparcfg")) {
      finding
          .lookedAt(TREE + "/ibm,partition-no")
          .pass("POWER, a partition of PowerVM: the device tree has a partition, and no KVM.");
    } else {
      finding.pass(
          "POWER, a guest: the device tree is that of '%s'."
              .formatted(String.join("', '", compatible)));
    }
  }

  private static List<String> strings(Optional<String> property) {
    return property
        .map(text -> List.of(text.split("\0", -1)).stream().filter(one -> !one.isBlank()).toList())
        .orElse(List.of());
  }

  /** Whether this process sees the machine through a container. */
  static void container(Examination at) {
    var finding =
        at.finding(
            "container",
            Examination.HOST,
            "A container has only the nodes, the locked memory and the processes that its runtime gives it.",
            "/.dockerenv",
            "/run/.containerenv",
            "/run/systemd/container",
            UseChecks.MOUNTS);
    var files = at.files();
    var mark = CONTAINER_MARKS.stream().filter(files::exists).findFirst();
    var mounts = files.text(UseChecks.MOUNTS);
    boolean isOverlay =
        mounts.stream()
            .flatMap(String::lines)
            .map(Mount::parse)
            .flatMap(Optional::stream)
            .anyMatch(mount -> mount.at().equals("/") && mount.type().equals("overlay"));
    if (mark.isPresent() || isOverlay) {
      finding.pass(
          "This process is in a container (%s), which needs the nodes that it is to open, and locked memory: --device"
                  .formatted(mark.map(path -> path + " is there").orElse("/ is an overlay"))
              + " /dev/vfio/vfio --device /dev/vfio/GROUP --ulimit memlock=-1.");
    } else if (mounts.isEmpty()) {
      finding.unknown("what is mounted cannot be read.");
    } else {
      finding.pass("No sign of a container.");
    }
  }
}
