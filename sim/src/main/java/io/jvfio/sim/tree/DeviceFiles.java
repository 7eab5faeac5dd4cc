// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.tree;

import io.jvfio.sim.device.HostDevice;
import io.jvfio.sim.device.HostDevices;
import io.jvfio.sim.files.FileNode;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.setup.KernelEra;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The files of sysfs for one PCI function. */
final class DeviceFiles {
  private static final int VISIBLE_TO_ALL = 64;

  private final HostDevices host;
  private final HostDevice device;
  private final HostDescription.Function function;

  DeviceFiles(HostDevices host, HostDevice device) {
    this.host = host;
    this.device = device;
    this.function = device.description();
  }

  /** The IOMMU that a function is behind, as in {@code /sys/class/iommu}, or null. */
  static @Nullable String iommuName(HostDevices host, HostDescription.Function function) {
    var group = function.group();
    if (host.groups().stream().noneMatch(g -> g.id() == group && !g.isNoIommu())) {
      return null;
    }
    var process = host.process();
    var recorded = process.description().recordedDevice(function.address());
    if (recorded != null) {
      return recorded.iommu();
    }
    return process.description().platform().instanceFor(function.address(), process.era());
  }

  void addTo(FileNode.Directory root) {
    var sys = root.directory("sys");
    var path = function.path();
    sys.directory("bus/pci/devices").link(function.address(), "../../../" + path);
    var directory = sys.directory(path);
    addAttributes(directory);
    addLinks(sys, directory, path);
  }

  private void addLinks(FileNode.Directory sys, FileNode.Directory directory, String path) {
    var up = "../../../" + "../".repeat(function.parents().size());
    directory.link("subsystem", up + "bus/pci");
    var physical = device.physicalFunction();
    if (physical != null) {
      directory.link("physfn", "../" + physical.address());
    }
    var group = device.group();
    if (group != null) {
      directory.link("iommu_group", up + "kernel/iommu_groups/" + group.id());
    }
    var iommu = iommuName(host, function);
    if (iommu != null) {
      directory.link("iommu", up + "devices/virtual/iommu/" + iommu);
    }
    if (function.node() != null) {
      directory.link("of_node", up + "firmware/devicetree/base/" + function.node());
    }
    if (device.isOffered() && host.process().era() != KernelEra.LINUX_5_10) {
      CharacterDevices.addTo(device, sys, directory, path);
    }
    var driver = device.isReleasing() ? null : device.driver();
    if (driver != null) {
      directory.link("driver", up + "bus/pci/drivers/" + driver);
      sys.directory("bus/pci/drivers/" + driver).link(function.address(), "../../../../" + path);
    }
  }

  private void addAttributes(FileNode.Directory directory) {
    var identity = device.identity();
    directory.text("vendor", Hex.prefixed(identity.vendor(), 4));
    directory.text("device", Hex.prefixed(identity.device(), 4));
    directory.text("subsystem_vendor", Hex.prefixed(identity.subsystemVendor(), 4));
    directory.text("subsystem_device", Hex.prefixed(identity.subsystemDevice(), 4));
    directory.text("class", Hex.prefixed(identity.classCode(), 6));
    directory.text("revision", Hex.prefixed(identity.revision(), 2));
    directory.text("modalias", modalias(identity));
    directory.text("irq", Integer.toString(function.irq()));
    var recorded = host.process().description().recordedDevice(function.address());
    directory.text("numa_node", Integer.toString(recorded == null ? -1 : recorded.numaNode()));
    directory.text("local_cpulist", "0");
    directory.text("msi_bus", "1");
    directory.text("driver_override", device.driverOverride().orElse("(null)"));
    directory.text("enable", "0");
    directory.text("resource", resources());
    if (identity.canReset()) {
      directory.bytes("reset", new byte[0]); // to write to
    }
    if (recorded == null) {
      addPower(directory);
      if (identity.canReset() && host.process().era() != KernelEra.LINUX_5_10) {
        directory.text("reset_method", "flr");
      }
    }
    directory.put("config", new FileNode.Content(this::config));
  }

  private void addPower(FileNode.Directory directory) {
    if (host.process().era() != KernelEra.LINUX_5_10) {
      directory.text("power_state", "D0");
    }
    directory.text("d3cold_allowed", "1");
    directory.directory("power").text("control", "on");
  }

  private static String modalias(HostDevice.Identity identity) {
    int classCode = identity.classCode();
    return "pci:v"
        + capital(identity.vendor(), 8)
        + "d"
        + capital(identity.device(), 8)
        + "sv"
        + capital(identity.subsystemVendor(), 8)
        + "sd"
        + capital(identity.subsystemDevice(), 8)
        + "bc"
        + capital(classCode >> 16, 2)
        + "sc"
        + capital(classCode >> 8, 2)
        + "i"
        + capital(classCode, 2);
  }

  private static String capital(int value, int digits) {
    return Hex.digits(value, digits).toUpperCase(Locale.ROOT);
  }

  private String resources() {
    var lines = new StringBuilder();
    for (int bar = 0; bar < 13; bar++) {
      long start = 0;
      long last = 0;
      long flags = 0;
      for (var place : function.bars()) {
        if (place.bar() == bar) {
          start = place.hostAddress();
          last = start + place.byteSize() - 1;
          flags = place.flags();
        }
      }
      lines
          .append(bar == 0 ? "" : "\n")
          .append(Hex.prefixed(start, 16))
          .append(' ')
          .append(Hex.prefixed(last, 16))
          .append(' ')
          .append(Hex.prefixed(flags, 16));
    }
    return lines.toString();
  }

  /** Configuration space as the hardware has it; all of it for administrators only. */
  private byte[] config() {
    var config = device.config();
    boolean all = host.process().has(HostSettings.CAP_SYS_ADMIN);
    var bytes = new byte[all ? config.byteSize() : VISIBLE_TO_ALL];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (device.isGone() ? -1 : config.read(i, 1));
    }
    return bytes;
  }
}
