// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.junit.SimulatedHostTest;
import io.jvfio.linux.Errno;
import io.jvfio.nvme.NvmeController;
import io.jvfio.sim.FaultInjector;

/** A driver's unit test: on every simulated host, and where the kernel has no memory left. */
class TestsADriver {
  @SimulatedHostTest
  void readsAnEmptyDisk(VfioDevice device) {
    try (var controller = NvmeController.open(device);
        var buffer = device.dmaSpace().allocate(4096)) {
      controller.namespace(1).read(0, 1, buffer, 0);
      assertEquals(0, buffer.segment().get(JAVA_LONG, 0));
    }
  }

  @SimulatedHostTest({"x86-6.12", "pseries-5.10"})
  void leavesNothingWhereMemoryCannotBeMapped(VfioDevice device, FaultInjector kernel) {
    kernel.failEvery("VFIO_IOMMU_MAP_DMA", Errno.ENOMEM);
    assertThrows(VfioException.class, () -> NvmeController.open(device));
  }

  @SimulatedHostTest(value = "x86-6.12", failing = "VFIO_SET_IOMMU EPERM")
  void saysWhyNoIommuCanBeHad(VfioHost host) {
    var address = host.devices().stream().filter(one -> one.isBoundToVfio()).findFirst();
    var failure =
        assertThrows(VfioException.class, () -> host.open(address.orElseThrow().address()));
    assertTrue(failure.getMessage().contains("EPERM"));
  }
}
