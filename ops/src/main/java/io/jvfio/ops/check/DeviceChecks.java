// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import io.jvfio.HostDevice;
import java.util.List;
import java.util.Set;

/**
 * Looks at devices: whether the driver that was asked for has them, whether they answer, how they
 * are reset, and whether they sleep.
 *
 * <p>Source of the rules: {@code Documentation/ABI/testing/sysfs-bus-pci}, {@code
 * drivers/pci/pci.c} (reset methods), {@code drivers/pci/quirks.c} (quirk_no_flr,
 * quirk_no_bus_reset and quirk_nvidia_no_bus_reset).
 */
final class DeviceChecks {
  private static final String DEVICES = "/sys/bus/pci/devices/";
  private static final int HEADER = 64;
  private static final int AMD_GPU = 0x1002;
  private static final int NVIDIA = 0x10de;
  private static final int DISPLAY = 0x03;

  /**
   * Devices by vendor and device id whose reset the kernel knows not to work, so that it leaves a
   * way out.
   */
  private static final Set<Integer> NO_FLR =
      Set.of(0x1022_1487, 0x1022_148c, 0x1022_149c, 0x1022_7901, 0x8086_1502, 0x8086_1503);

  private static final Set<Integer> NO_BUS_RESET =
      Set.of(
          0x168c_0030,
          0x168c_0032,
          0x168c_003c,
          0x168c_0033,
          0x168c_0034,
          0x168c_003e,
          0x177d_a100,
          0x104c_b005);

  /** Generations of AMD's GPUs that come out of a bus reset unusable: Polaris, Vega, Navi 10. */
  private static final Set<Integer> RESET_BUG =
      Set.of(
          0x67c0, 0x67c4, 0x67c7, 0x67d0, 0x67df, 0x67e0, 0x67e3, 0x67e8, 0x67eb, 0x67ef, 0x67ff,
          0x6860, 0x6861, 0x6862, 0x6863, 0x6864, 0x6867, 0x6868, 0x687f, 0x66a0, 0x66a1, 0x66a2,
          0x66a3, 0x66a7, 0x66af, 0x7310, 0x7312, 0x7318, 0x7319, 0x731a, 0x731b, 0x731e, 0x731f,
          0x7340, 0x7341, 0x7347, 0x734f);

  private DeviceChecks() {}

  /** Devices that were to have a VFIO driver, and have not got it. */
  static void overrides(Examination at) {
    for (var device : at.asked().isEmpty() ? at.devices() : at.asked()) {
      driver(at, device);
    }
  }

  private static void driver(Examination at, HostDevice device) {
    var directory = DEVICES + device.address();
    var wanted =
        at.files().text(directory + "/driver_override").filter(name -> name.contains("vfio"));
    boolean isMissed = wanted.isPresent() && !device.isBoundToVfio();
    if (!isMissed && !at.isAsked(device)) {
      return;
    }
    var finding =
        at.finding(
            "driver",
            device.address().toString(),
            "Only a device that a VFIO driver has can be opened.",
            directory + "/driver",
            directory + "/driver_override");
    if (device.isBoundToVfio()) {
      finding.pass(device.driver().orElseThrow() + " has it.");
    } else if (isMissed) {
      finding.fail(
          "driver_override says %s, and %s: the kernel's answer to drivers_probe is no proof that a driver was bound."
              .formatted(
                  wanted.get(),
                  device.driver().map(name -> name + " has it").orElse("no driver has it")),
          "modprobe %s; %secho %s > /sys/bus/pci/drivers_probe"
              .formatted(
                  wanted.get(),
                  device.driver().isPresent()
                      ? "echo %s > %s/driver/unbind; ".formatted(device.address(), directory)
                      : "",
                  device.address()));
    } else {
      var advice = at.knowledge().notBound(device, at.groupOf(device));
      // How to take a device that the host lives on is not told.
      finding.fail(advice.meaning(), UseChecks.uses(at, device).isEmpty() ? advice.nextStep() : "");
    }
  }

  /** What is to be known of each device before it is opened. */
  static void devices(Examination at) {
    for (var device : at.devicesOfInterest()) {
      group(at, device);
      boolean isAsleep = power(at, device);
      if (!isAsleep) {
        answer(at, device); // asking one that sleeps would wake it up
      }
      reset(at, device);
    }
  }

  private static void group(Examination at, HostDevice device) {
    if (device.group().isPresent()) {
      return;
    }
    var advice = at.knowledge().noGroup(device);
    at.finding(
            "group",
            device.address().toString(),
            "A device is opened through its group, or not at all.",
            DEVICES + device.address() + "/iommu_group",
            IommuChecks.CLASS)
        .fail(advice.meaning(), advice.nextStep());
  }

  /** Whether it sleeps so deeply that it has to be woken up; returns that. */
  private static boolean power(Examination at, HostDevice device) {
    var directory = DEVICES + device.address();
    var finding =
        at.finding(
            "d3cold",
            device.address().toString(),
            "A device without power reads as all ones, and some do not come back.",
            directory + "/power_state",
            directory + "/d3cold_allowed",
            directory + "/power/control");
    var state = at.files().text(directory + "/power_state");
    var allowed = at.files().text(directory + "/d3cold_allowed");
    if (state.filter("D3cold"::equals).isPresent()) {
      finding.warn("It has no power (D3cold).", "echo on > %s/power/control".formatted(directory));
      return true;
    }
    if (state.isEmpty() && allowed.isEmpty()) {
      finding.unknown("the kernel tells nothing of its power.");
    } else {
      finding.pass(
          "%s; D3cold is %s."
              .formatted(
                  state.map(text -> "In " + text).orElse("Its state is not known here"),
                  allowed
                      .map(text -> text.equals("1") ? "allowed" : "not allowed")
                      .orElse("not spoken of")));
    }
    return false;
  }

  private static void answer(Examination at, HostDevice device) {
    var file = DEVICES + device.address() + "/config";
    var finding =
        at.finding(
            "answers",
            device.address().toString(),
            "A device that is lost, or has failed a reset, reads as all ones and does nothing else.",
            file);
    var config = at.files().bytes(file);
    if (config.length < HEADER) {
      finding.unknown("its configuration space cannot be read.");
      return;
    }
    for (int i = 0; i < HEADER; i++) {
      if (config[i] != -1) {
        finding.pass("It answers.");
        return;
      }
    }
    finding.fail(
        "Its configuration space reads as all ones.",
        "echo 1 > %s%s/remove; echo 1 > /sys/bus/pci/rescan; if it is not there then, switch the machine off and on."
            .formatted(DEVICES, device.address()));
  }

  private static void reset(Examination at, HostDevice device) {
    if (device.isBridge()) {
      return; // the kernel resets what is below it
    }
    var directory = DEVICES + device.address();
    var finding =
        at.finding(
            "reset",
            device.address().toString(),
            "A device is reset before it goes to its next user; where that does not work it keeps what the last one"
                + " left.",
            directory + "/reset_method",
            directory + "/reset");
    var names = at.files().directory(directory);
    if (names.isEmpty()) {
      finding.unknown("its directory cannot be read.");
      return;
    }
    var methods =
        at.files()
            .text(directory + "/reset_method")
            .map(text -> List.of(text.strip().split("\\s+", -1)))
            .orElse(List.of());
    var known = knownTrouble(device, methods);
    if (!known.isEmpty()) {
      finding.warn(known, "");
    } else if (!methods.isEmpty() && !methods.equals(List.of(""))) {
      boolean isAlone = methods.stream().anyMatch(method -> !method.equals("bus"));
      if (isAlone) {
        finding.pass("The kernel resets it by %s.".formatted(String.join(", ", methods)));
      } else {
        finding.warn(
            "The kernel can reset it only with its bus, which takes what else is on that bus along.",
            "");
      }
    } else if (names.get().contains("reset")) {
      finding.pass("The kernel can reset it; how is not told here.");
    } else {
      finding.warn("The kernel has no way to reset it alone.", "");
    }
  }

  /** What is known of resets that do not work; "" for nothing. */
  private static String knownTrouble(HostDevice device, List<String> methods) {
    int id = device.vendor() << 16 | device.device();
    boolean onlyBus = methods.stream().allMatch(method -> method.equals("bus"));
    if (device.vendor() == AMD_GPU && RESET_BUG.contains(device.device()) && onlyBus) {
      return "GPUs of this generation do not come back from a reset of the bus, once a driver has used them: the next"
          + " user finds them dead until the machine is switched off.";
    }
    if (NO_FLR.contains(id)) {
      return "Its function-level reset is known to hang, and the kernel does not use it%s."
          .formatted(left(methods));
    }
    boolean isNvidia =
        device.vendor() == NVIDIA
            && device.classCode() >>> 16 == DISPLAY
            && ((device.device() & 0xffc0) == 0x2340 || device.device() == 0x1eb8);
    return NO_BUS_RESET.contains(id) || isNvidia
        ? "It is known not to come back from a reset of its bus, and the kernel does not use one%s."
            .formatted(left(methods))
        : "";
  }

  private static String left(List<String> methods) {
    return methods.isEmpty() ? "; no way is left" : "; left is " + String.join(", ", methods);
  }
}
