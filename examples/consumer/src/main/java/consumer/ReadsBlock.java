// SPDX-License-Identifier: Apache-2.0
package consumer;

import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.nvme.NvmeController;
import java.lang.foreign.ValueLayout;

/** {@code ReadsBlock ADDRESS}: prints the first bytes of an NVMe controller's first block. */
public final class ReadsBlock {
  private ReadsBlock() {}

  public static void main(String[] arguments) {
    System.out.printf("%016x%n", read(VfioHost.local(), PciAddress.parse(arguments[0])));
  }

  /** The first eight bytes, as a number. */
  public static long read(VfioHost host, PciAddress address) {
    try (var device = host.open(address);
        var controller = NvmeController.open(device);
        var buffer = device.dmaSpace().allocate(4096)) {
      controller.namespace(1).read(0, 1, buffer, 0);
      return buffer.segment().get(ValueLayout.JAVA_LONG, 0);
    }
  }
}
