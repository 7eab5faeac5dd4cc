// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import io.jvfio.HostDevice;
import io.jvfio.linux.Architecture;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * Looks at the IOMMU: whether there is one and it is on, whether it isolates interrupts, and what
 * it limits.
 *
 * <p>Source of the rules: {@code drivers/iommu/}, {@code drivers/vfio/vfio_iommu_type1.c}, {@code
 * Documentation/admin-guide/kernel-parameters.txt}; the chips' names in {@code /proc/interrupts}:
 * {@code drivers/iommu/intel/irq_remapping.c}, {@code drivers/iommu/amd/iommu.c}.
 */
final class IommuChecks {
  static final String CLASS = "/sys/class/iommu";
  private static final String GROUPS = "/sys/kernel/iommu_groups";
  private static final String COMMAND_LINE = "/proc/cmdline";
  private static final String ACPI = "/sys/firmware/acpi/tables";
  private static final String TREE = "/sys/firmware/devicetree/base";
  private static final String INTERRUPTS = "/proc/interrupts";
  private static final String MODULES = "/sys/module/";
  private static final String NO_IOMMU = MODULES + "vfio/parameters/enable_unsafe_noiommu_mode";
  private static final String ENTRY_LIMIT = MODULES + "vfio_iommu_type1/parameters/dma_entry_limit";
  private static final String UNSAFE = "parameters/allow_unsafe_interrupts";
  private static final long USUAL_ENTRIES = 65535;
  private static final long LARGE_PAGE = 2L << 20;

  /** The tables by which firmware tells of IOMMUs. */
  private static final List<String> TABLES = List.of("DMAR", "IORT", "IVRS", "RIMT", "VIOT");

  private static final Pattern TABLE = Pattern.compile("[A-Z0-9_]{4}[0-9]*");
  private static final Pattern PARAMETER =
      Pattern.compile(
          "(?<=^|\\s)(?:intel_iommu|amd_iommu|iommu|iommu\\.passthrough|arm-smmu\\.\\S+|intremap)=\\S+");
  private static final Pattern TURNS_OFF =
      Pattern.compile("(?:intel_iommu|amd_iommu|iommu)=(?:\\S+,)?off(?:,\\S+)?");
  private static final Pattern REMAPPED = Pattern.compile("\\bIR-");
  private static final Pattern PLAIN_CHIP = Pattern.compile("\\b(?:IO-APIC|PCI-MSI)");
  private static final Pattern TRANSLATING_CHIP = Pattern.compile("\\bITS-");

  private IommuChecks() {}

  /** Whether there is an IOMMU, and it is on. */
  static void iommu(Examination at) {
    boolean hasTree = at.isPower() || at.files().exists(TREE + "/compatible");
    var finding =
        at.finding(
            "iommu",
            Examination.HOST,
            "Without an IOMMU a device reaches all of memory, and VFIO gives it to nobody.",
            CLASS,
            GROUPS,
            COMMAND_LINE,
            hasTree ? TREE : ACPI);
    var iommus = at.files().names(CLASS);
    long groups = at.groups().stream().filter(group -> !group.noIommu()).count();
    if (groups > 0) {
      finding.pass(
          "%s; %d %s. Command line: %s."
              .formatted(
                  iommus.isEmpty() ? "On" : String.join(", ", iommus),
                  groups,
                  groups == 1 ? "group" : "groups",
                  parameters(at)));
      return;
    }
    var advice = at.knowledge().noGroups();
    if (!iommus.isEmpty()) {
      finding.warn(advice.meaning(), advice.nextStep());
      return;
    }
    var firmware = firmware(at, hasTree);
    if (at.groups().stream().anyMatch(group -> group.noIommu()) || isNoIommuModeOn(at)) {
      finding.warn(
          "None; unsafe no-IOMMU mode is on instead. %s Command line: %s."
              .formatted(firmware, parameters(at)),
          advice.nextStep());
      return;
    }
    finding.fail(
        "%s %s Command line: %s.".formatted(advice.meaning(), firmware, parameters(at)),
        turnOn(at, advice.nextStep()));
  }

  private static String firmware(Examination at, boolean hasTree) {
    if (hasTree) {
      return "The device tree describes the machine.";
    }
    var tables =
        at.files().names(ACPI).stream().filter(name -> TABLE.matcher(name).matches()).toList();
    if (tables.isEmpty()) {
      return "Firmware's tables are not shown here.";
    }
    var ofIommus = tables.stream().filter(TABLES::contains).toList();
    return ofIommus.isEmpty()
        ? "Firmware tells of none: its tables are %s.".formatted(String.join(", ", tables))
        : "Firmware tells of one (table %s).".formatted(String.join(", ", ofIommus));
  }

  /** What turns the IOMMU on, as far as it can be told from firmware and the command line. */
  private static String turnOn(Examination at, String otherwise) {
    var off =
        TURNS_OFF
            .matcher(at.files().text(COMMAND_LINE).orElse(""))
            .results()
            .map(MatchResult::group)
            .toList();
    if (!off.isEmpty()) {
      return "Take %s off the kernel's command line, and reboot."
          .formatted(String.join(" and ", off));
    }
    var tables = at.files().names(ACPI);
    if (tables.contains("DMAR")) {
      return "Put intel_iommu=on on the kernel's command line, and reboot.";
    }
    return tables.contains("IVRS")
        ? "Look for 'AMD-Vi' in dmesg: firmware tells of the IOMMU, and the kernel drives none."
        : otherwise;
  }

  private static String parameters(Examination at) {
    var line = at.files().text(COMMAND_LINE);
    if (line.isEmpty()) {
      return "not known here";
    }
    var found = PARAMETER.matcher(line.get()).results().map(MatchResult::group).toList();
    return found.isEmpty() ? "nothing about it" : String.join(" ", found);
  }

  private static boolean isNoIommuModeOn(Examination at) {
    return at.files().text(NO_IOMMU).filter("Y"::equals).isPresent();
  }

  /** Whether devices can send interrupts to places that are not theirs. */
  static void interruptRemapping(Examination at) {
    var finding =
        at.finding(
            "interrupt-remapping",
            Examination.HOST,
            "Without it a device can send any interrupt, so Type1 and iommufd refuse every group with EPERM.",
            INTERRUPTS,
            MODULES + "vfio_iommu_type1/" + UNSAFE,
            MODULES + "iommufd/" + UNSAFE);
    if (!at.isTranslated()) {
      finding.unknown("there is no IOMMU that could do it.");
      return;
    }
    if (at.isPower()) {
      finding.pass("The host bridge checks messages on POWER; sPAPR does not ask for more.");
      return;
    }
    var interrupts = at.files().text(INTERRUPTS).orElse("");
    boolean isX86 = at.kernel().architecture() == Architecture.X86_64;
    if (REMAPPED.matcher(interrupts).find()) {
      finding.pass("On: the kernel's interrupts go through the IOMMU (IR-...).");
    } else if (TRANSLATING_CHIP.matcher(interrupts).find()) {
      finding.pass("On: messages go through an Interrupt Translation Service (ITS-...).");
    } else if (!isX86 || !PLAIN_CHIP.matcher(interrupts).find()) {
      finding.unknown("the names of the interrupt chips do not tell.");
    } else if (allowsUnsafe(at, "vfio_iommu_type1") || allowsUnsafe(at, "iommufd")) {
      finding.warn(
          "Off, and allow_unsafe_interrupts is on: a guest with a device can send any interrupt to this host.",
          "");
    } else {
      finding.fail("Off: no interrupt chip is one of the IOMMU's (IR-...).", turnRemappingOn(at));
    }
  }

  private static boolean allowsUnsafe(Examination at, String module) {
    return at.files().text(MODULES + module + "/" + UNSAFE).filter("Y"::equals).isPresent();
  }

  private static String turnRemappingOn(Examination at) {
    if (at.files().text(COMMAND_LINE).filter(line -> line.contains("intremap=off")).isPresent()) {
      return "Take intremap=off off the kernel's command line, and reboot.";
    }
    return (at.knowledge().virtualMachineSign().isPresent()
            ? "Have the hypervisor do it (QEMU: -machine q35,kernel-irqchip=split -device intel-iommu,intremap=on)."
            : "Turn it on in the firmware (VT-d with x2APIC, or AMD-Vi).")
        + " Where the guest is trusted: echo Y > "
        + MODULES
        + "vfio_iommu_type1/"
        + UNSAFE;
  }

  /** Whether devices without an IOMMU are given away. */
  static void noIommu(Examination at) {
    var finding =
        at.finding(
            "no-iommu",
            Examination.HOST,
            "In no-IOMMU mode a device that is given away reaches all of this machine's memory.",
            NO_IOMMU);
    var mode = at.files().text(NO_IOMMU);
    if (mode.isPresent() && mode.get().equals("Y")) {
      finding.warn("No-IOMMU mode is on.", "echo N > " + NO_IOMMU);
    } else if (mode.isPresent()) {
      finding.pass("No-IOMMU mode is off.");
    } else if (at.files().exists("/sys/module/vfio")) {
      finding.pass("This kernel has no no-IOMMU mode.");
    } else {
      finding.unknown("the module vfio is not loaded, or does not tell.");
    }
  }

  /** How many mappings a container takes. */
  static void entryLimit(Examination at) {
    if (at.isPower()) {
      return; // sPAPR has windows, and no limit of entries
    }
    var finding =
        at.finding(
            "entry-limit",
            Examination.HOST,
            "Each mapping of a container takes an entry; when none is left the next one fails with ENOSPC.",
            ENTRY_LIMIT);
    var limit = at.files().text(ENTRY_LIMIT).flatMap(Numbers::parse);
    if (limit.isEmpty()) {
      finding.unknown("vfio_iommu_type1 is not loaded; iommufd has no such limit.");
      return;
    }
    long pieces = at.memory().stream().map(size -> (size + LARGE_PAGE - 1) / LARGE_PAGE).sum();
    if (Long.compareUnsigned(pieces, limit.get()) > 0) {
      finding.warn(
          "%,d mappings; who maps %,d bytes in pieces of 2 MiB needs %,d."
              .formatted(limit.get(), at.memory().orElse(0), pieces),
          "echo %d > %s".formatted(pieces, ENTRY_LIMIT));
    } else if (Long.compareUnsigned(limit.get(), USUAL_ENTRIES) < 0) {
      finding.warn(
          "%,d mappings, fewer than Linux gives by itself (%,d)."
              .formatted(limit.get(), USUAL_ENTRIES),
          "echo %d > %s".formatted(USUAL_ENTRIES, ENTRY_LIMIT));
    } else {
      finding.pass(Long.toUnsignedString(limit.get()) + " mappings in a container.");
    }
  }

  /** Whether guests on POWER have Dynamic DMA Windows. */
  static void dynamicWindows(Examination at) {
    if (!at.isPower() || !at.knowledge().isPowerGuest()) {
      return; // nobody else needs a hypervisor to make a window
    }
    for (var device : at.devicesOfInterest()) {
      dynamicWindows(at, device);
    }
  }

  private static void dynamicWindows(Examination at, HostDevice device) {
    var finding =
        at.finding(
            "ddw",
            device.address().toString(),
            "From Linux 6.11 on every DMA window of a POWER guest is one that the hypervisor makes; trying without"
                + " them poisons the device until reboot.",
            "/sys/bus/pci/devices/" + device.address() + "/of_node",
            TREE + ": ibm,ddw-applicable");
    var node = at.files().link("/sys/bus/pci/devices/" + device.address() + "/of_node");
    if (node.isEmpty()) {
      finding.unknown("the device has no node in the device tree.");
    } else if (!at.knowledge().mayLackDynamicWindows(device.address())) {
      finding.pass("The hypervisor makes DMA windows (ibm,ddw-applicable).");
    } else if (at.version().filter(version -> version.isSince(6, 11)).isPresent()) {
      finding.fail(
          "The hypervisor makes no DMA windows: neither its node nor one above has ibm,ddw-applicable.",
          "Have the hypervisor offer them (QEMU: spapr-pci-host-bridge without ddw=off), or boot a Linux before 6.11.");
    } else {
      finding.warn(
          "The hypervisor makes no DMA windows; this kernel does with the default one, as sPAPR v1.",
          "");
    }
  }
}
