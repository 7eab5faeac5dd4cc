// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import module io.jvfio.nvme;
import module io.jvfio.sim;

/** {@code DeviceWrites local|sim:NAME}: the first VFIO device, an NVMe controller, does DMA. */
final class DeviceWrites {
  static void main(String[] arguments) {
    var name = arguments[0];
    var simulated = name.startsWith("sim:") ? SimulatedHosts.open(name.substring(4)) : null;
    var host = simulated == null ? VfioHost.local() : VfioHost.of(name, simulated.kernel());
    var nvme = host.devices().stream().filter(one -> one.isBoundToVfio()).findFirst().orElseThrow();
    try (var device = host.open(nvme.address());
        var controller = NvmeController.open(device);
        var memory = device.dmaSpace().allocate(256 << 20)) {
      System.out.printf("%s, IOMMU %s: %s%n", device.name(), device.dmaSpace().type(), memory);
      var namespace = controller.namespace(1);
      long size = namespace.blockSize();
      for (long at : new long[] {0, memory.byteSize() / 2, memory.byteSize() - size}) {
        var block = memory.segment().asSlice(at, size).fill((byte) 0x55);
        System.out.printf("IOVA 0x%x: %016x, ", memory.iova() + at, block.get(JAVA_LONG, 0));
        namespace.read(0, 1, memory, at);
        System.out.printf("then %016x%n", block.get(JAVA_LONG, 0));
      }
    }
  }
}
