// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.nvme;

import io.jvfio.VfioDevice;
import io.jvfio.VfioHost;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.sim.SimulatedHost;

/**
 * An open namespace of a simulated host.
 *
 * @param host the host
 * @param device the controller's device
 * @param controller the driver
 * @param namespace the one namespace
 */
record Disk(
    SimulatedHost host, VfioDevice device, NvmeController controller, NvmeNamespace namespace)
    implements AutoCloseable {
  /** The first disk of a host. */
  static Disk open(SimulatedHost host, NvmeOptions options) {
    var vfio = VfioHost.of(host.name(), host.kernel());
    var address =
        vfio.devices().stream()
            .filter(one -> one.isBoundToVfio())
            .findFirst()
            .orElseThrow()
            .address();
    var device = vfio.open(address);
    try {
      var controller = NvmeController.open(device, options);
      return new Disk(host, device, controller, controller.namespace(1));
    } catch (RuntimeException | Error e) {
      device.close();
      throw e;
    }
  }

  /** The device's address. */
  String address() {
    return device.name();
  }

  /** Closes the controller and the device, and leaves the host running. */
  void closeDevice() {
    try {
      controller.close();
    } finally {
      device.close();
    }
  }

  @Override
  public void close() {
    closeDevice();
    host.close();
  }
}
