// SPDX-License-Identifier: Apache-2.0
package consumer;

import io.jvfio.PciAddress;
import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.nvme.NvmeController;
import java.lang.foreign.ValueLayout;

/** {@code ReadsBlock ADDRESS}: prints the first bytes of an NVMe controller's first block. */
public final class ReadsBlock {
  private ReadsBlock() {}

  public static void main(String[] arguments) {
    try (var device = VfioHost.local().open(PciAddress.parse(arguments[0]))) {
      System.out.printf("%016x%n", read(device));
    }
  }

  /** The first eight bytes, as a number. */
  public static long read(VfioDevice device) {
    try (var controller = NvmeController.open(device);
        var buffer = device.dmaSpace().allocate(4096)) {
      controller.namespace(1).read(0, 1, buffer, 0);
      return buffer.segment().get(ValueLayout.JAVA_LONG, 0);
    }
  }
}
