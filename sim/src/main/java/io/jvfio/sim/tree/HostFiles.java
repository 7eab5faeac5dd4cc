// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.tree;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Architecture;
import io.jvfio.sim.device.CharacterDevice;
import io.jvfio.sim.device.GroupFile;
import io.jvfio.sim.device.HostDevices;
import io.jvfio.sim.files.FileNode;
import io.jvfio.sim.files.FileTree;
import io.jvfio.sim.memory.HugePages;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.setup.RecordedFacts;
import java.util.List;

/**
 * The files that describe a host, under the names and in the forms of sysfs, devtmpfs and procfs.
 * Source: {@code Documentation/ABI/}, and what the kernels that the hosts imitate show.
 */
public final class HostFiles {
  private final HostDevices host;
  private final HostDescription description;
  private final HostSettings settings;
  private final FileTree tree;

  private HostFiles(HostDevices host) {
    var process = host.process();
    this.host = host;
    this.description = process.description();
    this.settings = process.settings();
    this.tree = new FileTree(settings.uid == 0);
    new ProcFiles(host).addTo(tree.root().directory("proc"));
    var sys = tree.root().directory("sys");
    sys.directory("kernel/iommu_groups");
    addHugePages(process.hugePages(), sys.directory("kernel/mm/hugepages"));
    for (var device : host.devices()) {
      new DeviceFiles(host, device).addTo(tree.root());
    }
    addGroups(sys);
    addModules(sys.directory("module"));
    addIommuClass(sys);
    if (DeviceTreeFiles.has(description)) {
      DeviceTreeFiles.addTo(description, sys.directory("firmware/devicetree/base"));
      tree.root().directory("proc").link("device-tree", "/sys/firmware/devicetree/base");
    }
    if (description.recorded() == null) {
      sys.directory("fs/cgroup").text("cgroup.controllers", "cpuset cpu io memory pids");
      addTables(sys);
    }
    addNodes();
  }

  /** The names of the tables by which firmware describes the machine. */
  private void addTables(FileNode.Directory sys) {
    if (description.architecture() == Architecture.PPC64LE) {
      return; // which has a device tree
    }
    var tables = sys.directory("firmware/acpi/tables");
    for (var name : List.of("APIC", "DSDT", "FACP", "MCFG")) {
      tables.bytes(name, new byte[0]);
    }
    if (description.paging() != null) {
      boolean isPc = description.architecture() == Architecture.X86_64;
      tables.bytes(isPc ? "DMAR" : "IORT", new byte[0]);
    }
  }

  /** The files of a host as it is now. */
  public static FileTree of(HostDevices host) {
    return new HostFiles(host).tree;
  }

  private static void addHugePages(HugePages hugePages, FileNode.Directory directory) {
    for (var pool : hugePages.pools()) {
      var files = directory.directory("hugepages-" + (pool.pageSize() >> 10) + "kB");
      files.text("nr_hugepages", Long.toString(pool.pages()));
      files.text("nr_hugepages_mempolicy", Long.toString(pool.pages()));
      files.text("nr_overcommit_hugepages", "0");
      files.text("resv_hugepages", "0");
      files.text("surplus_hugepages", "0");
      files.put("free_hugepages", new FileNode.Content(() -> ProcFiles.ascii(pool.free() + "\n")));
    }
  }

  private void addGroups(FileNode.Directory sys) {
    for (var group : host.groups()) {
      var directory = sys.directory("kernel/iommu_groups/" + group.id());
      var devices = directory.directory("devices");
      for (var device : group.devices()) {
        devices.link(device.address(), "../../../../" + device.description().path());
      }
      var name = group.description().name();
      if (name != null) {
        directory.text("name", name);
      }
      directory.text("type", group.isNoIommu() ? "unknown" : description.platform().groupType());
      var reserved = new StringBuilder();
      for (var range : group.description().reserved()) {
        reserved
            .append(Hex.prefixed(range.start(), 16))
            .append(' ')
            .append(Hex.prefixed(range.last(), 16))
            .append(' ')
            .append(range.type())
            .append('\n');
      }
      directory.bytes("reserved_regions", ProcFiles.ascii(reserved.toString()));
    }
  }

  private void addModules(FileNode.Directory modules) {
    if (!settings.vfioLoaded) {
      return;
    }
    boolean noIommu = description.hasNoIommu();
    if (description.iommufd() != null) {
      modules.directory("iommufd/parameters").text("allow_unsafe_interrupts", "N");
    }
    var vfio = modules.directory("vfio");
    var recorded = description.recorded();
    var mode = recorded != null ? recorded.noIommuMode() : noIommu ? "Y" : null;
    if (mode != null) {
      vfio.directory("parameters").text("enable_unsafe_noiommu_mode", mode);
    }
    modules.directory("vfio_pci_core");
    var pci = modules.directory("vfio_pci/parameters");
    for (var parameter :
        List.of("disable_denylist", "disable_idle_d3", "enable_sriov", "nointxmask")) {
      pci.text(parameter, "N");
    }
    if (!settings.iommuDriverLoaded) {
      return;
    }
    if (description.paging() != null || noIommu) {
      var type1 = modules.directory("vfio_iommu_type1/parameters");
      type1.text("allow_unsafe_interrupts", "N");
      type1.text("disable_hugepages", "N");
      type1.text("dma_entry_limit", Integer.toString(settings.dmaEntryLimit));
    } else {
      modules.directory("vfio_iommu_spapr_tce");
    }
  }

  private void addIommuClass(FileNode.Directory sys) {
    sys.directory("class/iommu");
    for (var device : host.devices()) {
      var name = DeviceFiles.iommuName(host, device.description());
      if (name != null) {
        sys.directory("class/iommu").link(name, "../../devices/virtual/iommu/" + name);
        sys.directory("devices/virtual/iommu/" + name + "/devices")
            .link(device.address(), "../../../../../" + device.description().path());
      }
    }
    var recorded = description.recorded();
    if (recorded == null) {
      return;
    }
    for (var name : recorded.iommus()) {
      sys.directory("class/iommu").link(name, "../../devices/virtual/iommu/" + name);
      sys.directory("devices/virtual/iommu/" + name + "/devices");
    }
    addFirmware(recorded.machine(), sys);
  }

  private static void addFirmware(RecordedFacts.Machine machine, FileNode.Directory sys) {
    if (machine.vendor() != null) {
      sys.directory("class/dmi/id").text("sys_vendor", machine.vendor());
    }
    if (machine.product() != null) {
      sys.directory("class/dmi/id").text("product_name", machine.product());
    }
  }

  private void addNodes() {
    if (!settings.vfioLoaded) {
      return;
    }
    var nodes = tree.root().directory("dev/vfio");
    nodes.put("vfio", new FileNode.Special(_ -> host.iommu().openContainer()));
    for (var group : host.groups()) {
      if (group.hasVfioDevice()) {
        var node =
            nodes.put(
                group.nodeName(), new FileNode.Special(_ -> GroupFile.open(host.process(), group)));
        if (!settings.groupAccess) {
          node.setRootOnly();
        }
      }
    }
    if (description.iommufd() != null) {
      addIommufdNodes(nodes);
    }
  }

  private void addIommufdNodes(FileNode.Directory nodes) {
    var devices = nodes.directory("devices");
    for (var device : host.devices()) {
      if (CharacterDevices.has(device)) {
        devices.put(
            CharacterDevices.name(device),
            new FileNode.Special(path -> new CharacterDevice(device, path)));
      }
    }
    var dev = tree.root().directory("dev");
    dev.put("iommu", new FileNode.Special(_ -> host.iommu().openIommufd()));
    if (!settings.groupAccess) {
      devices.names().forEach(name -> requireNonNull(devices.get(name)).setRootOnly());
      requireNonNull(dev.get("iommu")).setRootOnly();
    }
  }
}
