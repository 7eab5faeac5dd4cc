// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import io.jvfio.HostDevice;
import io.jvfio.PciAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Looks for devices that the host itself lives on: file systems, swap, parts of volumes, the
 * default route, the console, bridges.
 *
 * <p>Source of the forms: {@code proc_pid_mountinfo(5)}, {@code proc_swaps(5)}, {@code
 * Documentation/networking/}, {@code Documentation/ABI/testing/sysfs-block} and {@code
 * sysfs-bus-pci} (boot_vga).
 */
final class UseChecks {
  static final String MOUNTS = "/proc/self/mountinfo";
  private static final String SWAPS = "/proc/swaps";
  private static final String ROUTES = "/proc/net/route";
  private static final String ROUTES_6 = "/proc/net/ipv6_route";
  private static final String BLOCK = "/sys/class/block/";
  private static final String NETWORK = "/sys/class/net/";
  private static final String SUBSYSTEMS = "/sys/class/nvme-subsystem/";
  private static final int DEPTH = 8;
  private static final int DISPLAY = 0x03;

  private static final Pattern SUBSYSTEM = Pattern.compile("/(nvme-subsys[0-9]+)/");
  private static final Pattern CONTROLLER = Pattern.compile("nvme[0-9]+");
  private static final String ZEROES = "0".repeat(32);

  private UseChecks() {}

  /** Which devices must not be given away, and why. */
  static void inUse(Examination at) {
    for (var device : at.devices()) {
      boolean isAsked = at.isAsked(device);
      if (at.asked().isEmpty() ? device.isBridge() : !isAsked) {
        continue;
      }
      var uses = uses(at, device);
      if (uses.isEmpty() && !isAsked) {
        continue;
      }
      var finding =
          at.finding(
              "in-use",
              device.address().toString(),
              "A device that the host lives on is taken away from under it when it is bound to vfio-pci.",
              MOUNTS,
              SWAPS,
              "/sys/class/block/*/holders",
              ROUTES,
              ROUTES_6,
              "boot_vga");
      if (!uses.isEmpty() && isAsked) {
        finding.fail(
            "It must not be taken: it %s.".formatted(String.join(", ", uses)),
            "Choose another device; 'jvfio list' shows them.");
      } else if (!uses.isEmpty()) {
        finding.pass("Leave it to the host: it %s.".formatted(String.join(", ", uses)));
      } else if (device.isBoundToVfio()) {
        finding.pass("The host does not use it: a VFIO driver has it.");
      } else if (at.files().text(MOUNTS).isEmpty() || at.files().text(SWAPS).isEmpty()) {
        finding.unknown("what is mounted, and what is swapped to, cannot be read.");
      } else if (hasZfs(at) && device.classCode() >>> 16 == 0x01) {
        finding.unknown("ZFS is in use, and sysfs does not tell which disks it has.");
      } else {
        finding.pass("No mounted file system, swap, volume, default route or console is on it.");
      }
    }
  }

  private static boolean hasZfs(Examination at) {
    return mounts(at).stream().anyMatch(mount -> mount.type().equals("zfs"));
  }

  /** What the host uses a device for, each as the end of a sentence; nothing where VFIO has it. */
  static List<String> uses(Examination at, HostDevice device) {
    var uses = new ArrayList<String>();
    at.knowledge().machineBridge(device).ifPresent(what -> uses.add("is " + what));
    if (device.classCode() >>> 16 == DISPLAY
        && at.files()
            .text("/sys/bus/pci/devices/" + device.address() + "/boot_vga")
            .filter("1"::equals)
            .isPresent()) {
      uses.add("is the display that the console is on (boot_vga)");
    }
    uses.addAll(at.uses().getOrDefault(device.address(), List.of()));
    return uses;
  }

  /** What the host uses devices for: its disks, and its way to the network. */
  static Map<PciAddress, List<String>> ofHost(Examination at) {
    var uses = new HashMap<PciAddress, List<String>>();
    for (var mount : mounts(at)) {
      add(
          uses,
          behind(at, blockDevices(at, mount)),
          "holds %s (%s)".formatted(mount.at(), mount.source()));
    }
    for (var swap : swaps(at)) {
      add(uses, behind(at, Set.of(swap)), "holds swap (/dev/%s)".formatted(swap));
    }
    for (var name : at.files().names(BLOCK.substring(0, BLOCK.length() - 1))) {
      var holders = at.files().names(BLOCK + name + "/holders");
      if (!holders.isEmpty()) {
        var volumes = holders.stream().map(holder -> volume(at, holder)).toList();
        add(
            uses,
            behind(at, Set.of(name)),
            "holds a part of %s (/dev/%s)".formatted(String.join(", ", volumes), name));
      }
    }
    for (var name : defaultInterfaces(at)) {
      add(uses, ports(at, name, 0), "carries the default route (%s)".formatted(name));
    }
    return uses;
  }

  private static void add(Map<PciAddress, List<String>> uses, Set<PciAddress> devices, String use) {
    for (var device : devices) {
      uses.computeIfAbsent(device, _ -> new ArrayList<>()).add(use);
    }
  }

  /** A volume by its name, with what it is called in device mapper. */
  private static String volume(Examination at, String holder) {
    return at.files()
        .text(BLOCK + holder + "/dm/name")
        .map(name -> holder + " '" + name + "'")
        .orElse(holder);
  }

  private static List<Mount> mounts(Examination at) {
    return at.files().text(MOUNTS).stream()
        .flatMap(String::lines)
        .map(Mount::parse)
        .flatMap(Optional::stream)
        .toList();
  }

  /** The block devices of a mount: by its number, or by its source where that has none. */
  private static Set<String> blockDevices(Examination at, Mount mount) {
    var names = new TreeSet<String>();
    at.files().link("/sys/dev/block/" + mount.number()).map(UseChecks::last).ifPresent(names::add);
    if (mount.source().startsWith("/dev/")) {
      names.add(last(mount.source()));
    }
    return names;
  }

  private static List<String> swaps(Examination at) {
    return at.files().text(SWAPS).stream()
        .flatMap(String::lines)
        .skip(1)
        .filter(line -> line.startsWith("/dev/"))
        .map(line -> last(line.split("\\s", 2)[0]))
        .toList();
  }

  /** The PCI devices that block devices are on, through volumes and partitions. */
  private static Set<PciAddress> behind(Examination at, Set<String> blocks) {
    var devices = new LinkedHashSet<PciAddress>();
    var seen = new TreeSet<String>();
    var next = blocks;
    for (int depth = 0; depth < DEPTH && !next.isEmpty(); depth++) {
      var below = new TreeSet<String>();
      for (var block : next) {
        if (seen.add(block)) {
          devices.addAll(below(at, BLOCK + block));
          below.addAll(at.files().names(BLOCK + block + "/slaves"));
        }
      }
      next = below;
    }
    return devices;
  }

  /** The PCI devices of a class's device: what its path leads through, or its NVMe controllers. */
  private static Set<PciAddress> below(Examination at, String link) {
    var devices = new LinkedHashSet<PciAddress>();
    var path = PciPath.behind(at.kernel(), link);
    if (!path.isEmpty()) {
      devices.add(path.getLast());
      return devices;
    }
    // A disk that several controllers lead to is below none of them.
    at.files()
        .link(link)
        .map(SUBSYSTEM::matcher)
        .filter(Matcher::find)
        .ifPresent(
            found -> {
              var subsystem = SUBSYSTEMS + found.group(1);
              for (var name : at.files().names(subsystem)) {
                var controller = PciPath.behind(at.kernel(), subsystem + "/" + name);
                if (CONTROLLER.matcher(name).matches() && !controller.isEmpty()) {
                  devices.add(controller.getLast());
                }
              }
            });
    return devices;
  }

  private static Set<String> defaultInterfaces(Examination at) {
    var names = new TreeSet<String>();
    for (var line : at.files().text(ROUTES).stream().flatMap(String::lines).skip(1).toList()) {
      var fields = List.of(line.strip().split("\\s+", -1));
      if (fields.size() > 7
          && fields.get(1).equals("00000000")
          && fields.get(7).equals("00000000")) {
        names.add(fields.getFirst());
      }
    }
    for (var line : at.files().text(ROUTES_6).stream().flatMap(String::lines).toList()) {
      var fields = List.of(line.strip().split("\\s+", -1));
      if (fields.size() > 9
          && fields.get(0).equals(ZEROES)
          && fields.get(1).equals("00")
          && !fields.get(9).equals("lo")) {
        names.add(fields.get(9));
      }
    }
    return names;
  }

  /** The PCI devices that an interface sends through: its own, or those of the ones below it. */
  private static Set<PciAddress> ports(Examination at, String name, int depth) {
    var devices = new LinkedHashSet<PciAddress>();
    var path = PciPath.behind(at.kernel(), NETWORK + name);
    if (!path.isEmpty()) {
      devices.add(path.getLast());
    } else if (depth < DEPTH) {
      var directory = at.files().names(NETWORK + name);
      for (var entry : directory) {
        if (entry.startsWith("lower_")) {
          devices.addAll(ports(at, entry.substring("lower_".length()), depth + 1));
        }
      }
      for (var port : at.files().names(NETWORK + name + "/brif")) {
        devices.addAll(ports(at, port, depth + 1));
      }
    }
    return devices;
  }

  private static String last(String path) {
    return path.substring(path.lastIndexOf('/') + 1);
  }
}
