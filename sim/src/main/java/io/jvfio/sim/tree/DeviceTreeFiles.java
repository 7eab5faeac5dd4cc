// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.tree;

import io.jvfio.linux.Architecture;
import io.jvfio.sim.files.FileNode;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.IommuPlatform;

/**
 * The flattened device tree of a POWER machine, as far as it says what its DMA windows are. Source:
 * the properties that QEMU's {@code pseries} machine has in a guest; PAPR+ for their meaning.
 */
final class DeviceTreeFiles {
  private static final int LIOBN = 0x8000_0000;

  private DeviceTreeFiles() {}

  static boolean has(HostDescription description) {
    var recorded = description.recorded();
    if (recorded != null && !recorded.machine().compatible().isEmpty()) {
      return true;
    }
    for (var function : description.functions()) {
      if (function.node() != null) {
        return true;
      }
    }
    return false;
  }

  static void addTo(HostDescription description, FileNode.Directory base) {
    boolean partition = description.platform() instanceof IommuPlatform.Partition;
    var recorded = description.recorded();
    if (recorded != null) {
      base.bytes("compatible", string(String.join("\0", recorded.machine().compatible())));
      if (description.architecture() != Architecture.PPC64LE) {
        return;
      }
    } else {
      base.bytes("compatible", string(partition ? "qemu,pseries" : "ibm,powernv"));
    }
    base.bytes("model", string(partition ? "IBM pSeries (emulated by qemu)" : "IBM PowerNV"));
    base.bytes("device_type", string("chrp"));
    for (var function : description.functions()) {
      var path = function.node();
      if (path == null) {
        continue;
      }
      int slash = path.indexOf('/');
      var bridge = base.directory(path.substring(0, slash));
      int domain = Integer.parseInt(function.address().substring(0, 4), 16);
      addBridge(description.platform(), bridge, domain);
      var node = base.directory(path);
      var name = path.substring(path.lastIndexOf('/') + 1);
      node.bytes("name", string(name.substring(0, name.indexOf('@'))));
      node.bytes("vendor-id", cells(function.vendor()));
      node.bytes("device-id", cells(function.device()));
      node.bytes("class-code", cells(function.classCode()));
    }
  }

  private static void addBridge(IommuPlatform platform, FileNode.Directory bridge, int domain) {
    bridge.bytes("name", string("pci"));
    bridge.bytes("device_type", string("pci"));
    bridge.bytes("#address-cells", cells(3));
    bridge.bytes("#size-cells", cells(2));
    if (platform instanceof IommuPlatform.Partition partition) {
      bridge.bytes("compatible", string("IBM,Logical_PHB"));
      bridge.bytes("ibm,#dma-address-cells", cells(2));
      bridge.bytes("ibm,#dma-size-cells", cells(2));
      bridge.bytes(
          "ibm,dma-window", cells(LIOBN | domain << 8, 0, 0, 0, (int) partition.windowSize()));
      if (partition.dynamicWindows()) {
        // The tokens of the calls that query, create and remove a window, then of reset.
        bridge.bytes("ibm,ddw-applicable", cells(0x2026, 0x2027, 0x2028));
        bridge.bytes("ibm,ddw-extensions", cells(2, 0x2029, 1));
      }
    } else {
      bridge.bytes("compatible", string("ibm,ioda3-phb"));
    }
  }

  private static byte[] string(String text) {
    return ProcFiles.ascii(text + "\0");
  }

  /** Big-endian 32-bit cells. */
  private static byte[] cells(int... values) {
    var bytes = new byte[4 * values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (values[i / 4] >> (8 * (3 - i % 4)));
    }
    return bytes;
  }
}
