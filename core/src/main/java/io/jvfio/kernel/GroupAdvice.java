// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.HostDevice;
import io.jvfio.IommuGroup;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.PciAddress;
import io.jvfio.linux.Architecture;
import io.jvfio.spi.Explanation;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Advice on what keeps a device or its group from being opened before any IOMMU is asked: no group,
 * no VFIO driver, other devices of the group. Part of {@link Explanations}.
 *
 * <p>Source of the rules: {@code drivers/iommu/iommu.c}, {@code drivers/iommu/of_iommu.c}, {@code
 * drivers/vfio/pci/vfio_pci_core.c}.
 */
public final class GroupAdvice {
  /** What stands for an address that the user has to choose. */
  private static final String ANY_ADDRESS = "ADDRESS";

  /** How no-IOMMU mode is turned on. */
  public static final String TURN_ON_NO_IOMMU =
      "modprobe vfio; echo Y > "
          + HostFacts.NO_IOMMU_MODE
          + ", before binding the device (a kernel without that file has no such mode).";

  private static final String GROUPS_AT_BIND =
      "on Arm and behind virtio-iommu a group appears when a driver binds the device.";

  private final HostFacts facts;

  public GroupAdvice(HostFacts facts) {
    this.facts = facts;
  }

  /** No device of the host has a group. */
  public Explanation noGroups() {
    var iommus = facts.iommus();
    return iommus.isEmpty()
        ? new Explanation("No device has an IOMMU group: " + whyNoIommu(), turnOn())
        : new Explanation(
            "No device has an IOMMU group yet, though there is an IOMMU (%s): %s"
                .formatted(String.join(", ", iommus), GROUPS_AT_BIND),
            bindForGroup(ANY_ADDRESS));
  }

  /**
   * A device has no group.
   *
   * @param policy what its user asked for
   */
  public Explanation noGroup(HostDevice device, IommuPolicy policy) {
    var bridge = MachineBridge.of(device);
    if (bridge.isPresent()) {
      return isBridge(device, bridge.get());
    }
    var iommus = facts.iommus();
    if (iommus.isEmpty()) {
      return new Explanation(
          "The device has no IOMMU group: " + whyNoIommu(),
          policy.candidates().contains(IommuType.NOIOMMU)
              ? turnOn() + " " + doWithout(device)
              : turnOn());
    }
    var names = String.join(", ", iommus);
    if (device.driver().isPresent() || iommus.stream().allMatch(GroupAdvice::makesGroupsAtBoot)) {
      return new Explanation(
          "The machine has an IOMMU (%s), which does not cover the device: it would have a group otherwise."
              .formatted(names),
          facts.isVirtualMachine()
              ? "Put it on a bus that the hypervisor has the IOMMU cover (QEMU: one whose host bridge has no"
                  + " bypass_iommu=on)."
              : "Put it into a slot that the IOMMU covers; 'ls /sys/class/iommu/*/devices' lists the devices of each.");
    }
    return new Explanation(
        "The machine has an IOMMU (%s), and the device has no group yet: %s"
            .formatted(names, GROUPS_AT_BIND),
        bindForGroup(device.address().toString()));
  }

  /** Intel's, AMD's and POWER's do; others wait for a driver. */
  private static boolean makesGroupsAtBoot(String iommu) {
    return iommu.startsWith("dmar") || iommu.startsWith("ivhd") || iommu.startsWith("iommu-phb");
  }

  private static String bindForGroup(String device) {
    return bind(device, false) + " If it has no group then either, the IOMMU does not cover it.";
  }

  private String whyNoIommu() {
    if (facts.kernel().architecture() == Architecture.PPC64LE) {
      return "every POWER machine has an IOMMU, so the kernel has made no group of it.";
    }
    return facts.isVirtualMachine()
        ? "the hypervisor gives this virtual machine no IOMMU, or its kernel leaves it off."
        : "the machine has no IOMMU, or it is off.";
  }

  private String turnOn() {
    boolean virtual = facts.isVirtualMachine();
    return switch (facts.kernel().architecture()) {
      case X86_64 ->
          virtual
              ? "Have it give one (QEMU: -machine q35,kernel-irqchip=split -device intel-iommu,intremap=on, with"
                  + " intel_iommu=on on this kernel's command line; or -device virtio-iommu-pci)."
              : "Turn it on in the firmware (VT-d or AMD-Vi) and on the kernel's command line (Intel: intel_iommu=on;"
                  + " AMD: no amd_iommu=off).";
      case AARCH64 ->
          virtual
              ? "Have it give one (QEMU: -machine virt,iommu=smmuv3, or -device virtio-iommu-pci)."
              : "Turn the SMMU on in the firmware, whose tables (IORT or device tree) have to tell of it.";
      case PPC64LE ->
          "Look for 'iommu' in dmesg; Linux 5.19 to 6.3 cannot do VFIO on POWER at all, and the kernel here is %s."
              .formatted(facts.kernelRelease());
      case RISCV64 ->
          virtual
              ? "Have it give one (QEMU: -device virtio-iommu-pci or riscv-iommu-pci)."
              : "Look for 'iommu' in dmesg.";
    };
  }

  /** Advises whoever wants to do without an IOMMU. */
  private String doWithout(HostDevice device) {
    if (facts.lacksNoIommuMode()) {
      return "This kernel (%s) has no no-IOMMU mode: it was built without CONFIG_VFIO_NOIOMMU."
          .formatted(facts.kernelRelease());
    }
    return facts.isNoIommuModeOn()
        ? "To do without, in no-IOMMU mode, which is on: " + bind(List.of(device))
        : "To do without: " + TURN_ON_NO_IOMMU;
  }

  /** A device that is to be opened belongs to no VFIO driver. */
  public static Explanation notBound(HostDevice device, Optional<IommuGroup> group) {
    var bridge = MachineBridge.of(device);
    if (bridge.isPresent()) {
      return isBridge(device, bridge.get());
    }
    var meaning =
        device
            .driver()
            .map(driver -> device.address() + " belongs to the host driver " + driver + ".")
            .orElse(device.address() + " has no driver, so its group has no node to open.");
    var others =
        group.stream()
            .flatMap(one -> one.blockers().stream())
            .filter(blocker -> !blocker.equals(device))
            .toList();
    if (others.isEmpty()) {
      return new Explanation(meaning, bind(List.of(device)));
    }
    var all = new ArrayList<>(List.of(device));
    all.addAll(others);
    return new Explanation(
        "%s The IOMMU cannot tell it apart from %s, which %s in the hands of a host driver."
            .formatted(meaning, names(others), others.size() == 1 ? "is" : "are"),
        freeGroup(all));
  }

  /** A group that is to be opened has no device bound to a VFIO driver. */
  public static Explanation notBound(IommuGroup group) {
    var devices = group.devices().stream().filter(one -> !one.isBridge()).toList();
    if (devices.size() == 1) {
      return notBound(devices.getFirst(), Optional.empty());
    }
    if (devices.isEmpty()) {
      return new Explanation("The group has no PCI device that could be opened.", "");
    }
    return new Explanation(
        "No device of the group is bound to a VFIO driver, so it has no node to open: "
            + names(devices)
            + ".",
        group.isViable()
            ? "One of them is enough. " + bindOneOf(group)
            : freeGroup(group.blockers()));
  }

  /** A group with a device in other hands. */
  public static Explanation notViable(IommuGroup group) {
    var blockers = group.blockers();
    return blockers.isEmpty()
        ? new Explanation(
            "The kernel says that a device of the group is in the hands of a host driver; sysfs shows none.",
            "Look at /sys/kernel/iommu_groups/%d/devices for devices that are not PCI."
                .formatted(group.id()))
        : new Explanation(
            "The IOMMU cannot tell the group's devices apart, and %s %s in the hands of a host driver."
                .formatted(names(blockers), blockers.size() == 1 ? "is" : "are"),
            freeGroup(blockers));
  }

  private static Explanation isBridge(HostDevice device, String what) {
    return new Explanation(
        "%s is %s: a part of the machine, which vfio-pci is not for."
            .formatted(device.address(), what),
        "Choose another device; 'jvfio list' shows them.");
  }

  private static String names(List<HostDevice> devices) {
    return devices.stream().map(HostDevice::label).collect(Collectors.joining(", "));
  }

  /** What to do about devices that have to leave their host drivers. */
  private static String freeGroup(List<HostDevice> devices) {
    var bridges = devices.stream().filter(one -> MachineBridge.of(one).isPresent()).toList();
    if (bridges.isEmpty()) {
      return bind(devices);
    }
    return bridges.stream()
            .map(
                bridge ->
                    "%s is %s: a part of the machine, which vfio-pci is not for."
                        .formatted(bridge.address(), MachineBridge.of(bridge).orElseThrow()))
            .collect(Collectors.joining(" "))
        + " Put the device that you want into another slot, below a port that separates it (PCIe ACS: ACSCap in 'lspci"
        + " -vvv'), where it gets a group of its own; what is built into the same chip cannot be had.";
  }

  /** How to give one device of a group to vfio-pci, after which the group has a node. */
  public static String bindOneOf(IommuGroup group) {
    return group.devices().stream()
        .filter(device -> MachineBridge.of(device).isEmpty())
        .findFirst()
        .map(device -> bind(List.of(device)))
        .orElse("");
  }

  /** How to give devices to vfio-pci. */
  public static String bind(List<HostDevice> devices) {
    if (devices.size() == 1) {
      var device = devices.getFirst();
      return bind(device.address().toString(), device.driver().isPresent());
    }
    return "If nothing on the host uses them, bind them to vfio-pci: modprobe vfio-pci; for d in "
        + devices.stream().map(one -> one.address().toString()).collect(Collectors.joining(" "))
        + "; do "
        + commands("$d", devices.stream().anyMatch(one -> one.driver().isPresent()))
        + "; done.";
  }

  /** How to give a device to vfio-pci, of which only the address is known; or why not to. */
  public String bind(PciAddress device) {
    var classCode = facts.classCode(device);
    var bridge =
        classCode.isPresent() ? MachineBridge.of(classCode.getAsInt()) : Optional.<String>empty();
    return bridge
        .map(what -> "%s is %s, which vfio-pci is not for.".formatted(device, what))
        .orElseGet(() -> bind(device.toString(), facts.driver(device).isPresent()));
  }

  private static String bind(String device, boolean isBound) {
    return "If nothing on the host uses %s, bind it to vfio-pci: modprobe vfio-pci; %s."
        .formatted(device, commands(device, isBound));
  }

  private static String commands(String device, boolean isBound) {
    return ("echo vfio-pci > /sys/bus/pci/devices/%1$s/driver_override; "
            + (isBound ? "echo %1$s > /sys/bus/pci/devices/%1$s/driver/unbind; " : "")
            + "echo %1$s > /sys/bus/pci/drivers_probe")
        .formatted(device);
  }
}
