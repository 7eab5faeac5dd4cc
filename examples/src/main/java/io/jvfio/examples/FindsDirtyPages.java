// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import module io.jvfio.nvme;
import module io.jvfio.sim;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;

/**
 * {@code FindsDirtyPages local|sim:NAME}: which pages of a mapping a device has written. Needs an
 * IOMMU that can tell, behind iommufd; others name every page that is mapped.
 */
final class FindsDirtyPages {
  private static final int BYTES = 1 << 20;

  static void main(String[] arguments) {
    var name = arguments[0];
    var options = HostOptions.defaults().withDirtyTracking();
    var simulated =
        name.startsWith("sim:") ? SimulatedHosts.open(name.substring(4), options) : null;
    var host = simulated == null ? VfioHost.local() : VfioHost.of(name, simulated.kernel());
    var nvme = host.devices().stream().filter(one -> one.isBoundToVfio()).findFirst().orElseThrow();
    try (var device = host.open(nvme.address());
        var controller = NvmeController.open(device);
        var memory = device.dmaSpace().allocate(BYTES);
        var tracking = device.dmaSpace().trackDirtyPages();
        var arena = Arena.ofConfined()) {
      var namespace = controller.namespace(1);
      namespace.read(0, 1, memory, 0);
      namespace.read(0, 1, memory, BYTES / 2);
      namespace.write(0, 1, memory, BYTES / 4); // which the device only reads
      var bitmap = arena.allocate(BYTES / tracking.pageSize() / Byte.SIZE, Long.BYTES);
      tracking.read(memory, bitmap);
      var written = BitSet.valueOf(bitmap.toArray(ValueLayout.JAVA_BYTE));
      System.out.printf(
          "pages of %d bytes written by %s: %s%n", tracking.pageSize(), device.name(), written);
    }
  }
}
