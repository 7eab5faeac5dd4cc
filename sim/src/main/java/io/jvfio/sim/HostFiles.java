package io.jvfio.sim;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import java.util.List;

/**
 * The files that describe a host, under the names and in the forms of sysfs, devtmpfs and procfs.
 * Source: {@code Documentation/ABI/}, and what the kernels that the hosts imitate show.
 */
final class HostFiles {
  private final Host host;
  private final FileTree tree;

  HostFiles(Host host) {
    this.host = host;
    this.tree = new FileTree(host.options().uid() == 0);
    new ProcFiles(host).addTo(tree.root().directory("proc"));
    var sys = tree.root().directory("sys");
    sys.directory("kernel/iommu_groups");
    host.hugePages().addTo(sys.directory("kernel/mm/hugepages"));
    for (var device : host.devices()) {
      new DeviceFiles(host, device).addTo(tree.root());
    }
    addGroups(sys);
    addModules(sys.directory("module"));
    addIommuClass(sys);
    if (DeviceTreeFiles.has(host)) {
      DeviceTreeFiles.addTo(host, sys.directory("firmware/devicetree/base"));
      tree.root().directory("proc").link("device-tree", "/sys/firmware/devicetree/base");
    }
    addNodes();
  }

  FileTree tree() {
    return tree;
  }

  private void addGroups(FileNode.Directory sys) {
    for (var group : host.groups()) {
      var directory = sys.directory("kernel/iommu_groups/" + group.id());
      var devices = directory.directory("devices");
      for (var device : group.devices) {
        devices.link(device.address(), "../../../../" + DeviceFiles.path(device.description()));
      }
      var name = group.description.name();
      if (name != null) {
        directory.text("name", name);
      }
      directory.text("type", group.noIommu ? "unknown" : host.description().platform().groupType());
      var reserved = new StringBuilder();
      for (var range : group.description.reserved()) {
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
    if (!host.options().vfioLoaded()) {
      return;
    }
    boolean noIommu = host.hasNoIommuDriver();
    if (host.description().iommufd() != null) {
      modules.directory("iommufd/parameters").text("allow_unsafe_interrupts", "N");
    }
    var vfio = modules.directory("vfio");
    if (noIommu) {
      vfio.directory("parameters").text("enable_unsafe_noiommu_mode", "Y");
    }
    modules.directory("vfio_pci_core");
    var pci = modules.directory("vfio_pci/parameters");
    for (var parameter :
        List.of("disable_denylist", "disable_idle_d3", "enable_sriov", "nointxmask")) {
      pci.text(parameter, "N");
    }
    if (!host.options().iommuDriverLoaded()) {
      return;
    }
    if (host.description().platform() instanceof IommuPlatform.Paging || noIommu) {
      var type1 = modules.directory("vfio_iommu_type1/parameters");
      type1.text("allow_unsafe_interrupts", "N");
      type1.text("disable_hugepages", "N");
      type1.text("dma_entry_limit", Integer.toString(host.options().dmaEntryLimit()));
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
            .link(device.address(), "../../../../../" + DeviceFiles.path(device.description()));
      }
    }
  }

  private void addNodes() {
    if (!host.options().vfioLoaded()) {
      return;
    }
    var nodes = tree.root().directory("dev/vfio");
    nodes.put("vfio", new ContainerNode(host));
    for (var group : host.groups()) {
      if (group.hasVfioDevice()) {
        var node = nodes.put(group.nodeName(), new GroupNode(host, group));
        if (!host.options().groupAccess()) {
          node.setRootOnly();
        }
      }
    }
    if (host.description().iommufd() != null) {
      addIommufdNodes(nodes);
    }
  }

  private void addIommufdNodes(FileNode.Directory nodes) {
    var devices = nodes.directory("devices");
    for (var device : host.devices()) {
      if (CharacterDevices.has(device)) {
        devices.put(CharacterDevices.name(device), new DeviceNode(host, device));
      }
    }
    var dev = tree.root().directory("dev");
    dev.put("iommu", new IommufdNode(host));
    if (!host.options().groupAccess()) {
      devices.names().forEach(name -> requireNonNull(devices.get(name)).setRootOnly());
      requireNonNull(dev.get("iommu")).setRootOnly();
    }
  }

  private static final class IommufdNode extends FileNode.Special {
    private final Host host;

    IommufdNode(Host host) {
      this.host = host;
    }

    @Override
    OpenFile open(String path, boolean writes) {
      return new IommufdFile(host);
    }
  }

  private static final class DeviceNode extends FileNode.Special {
    private final Host host;
    private final HostDevice device;

    DeviceNode(Host host, HostDevice device) {
      this.host = host;
      this.device = device;
    }

    @Override
    OpenFile open(String path, boolean writes) {
      return new CharacterDevice(host, device, path);
    }
  }

  private static final class ContainerNode extends FileNode.Special {
    private final Host host;

    ContainerNode(Host host) {
      this.host = host;
    }

    @Override
    OpenFile open(String path, boolean writes) {
      return new ContainerFile(new Container(host));
    }
  }

  private static final class GroupNode extends FileNode.Special {
    private final Host host;
    private final VfioGroup group;

    GroupNode(Host host, VfioGroup group) {
      this.host = host;
      this.group = group;
    }

    @Override
    OpenFile open(String path, boolean writes) throws PathError {
      int error = GroupFile.openError(host, group);
      if (error != 0) {
        throw new PathError(Errno.ofResult(error));
      }
      return GroupFile.open(host, group);
    }
  }
}
