// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/** Takes the events of a controller. */
@FunctionalInterface
public interface NvmeEventHandler {
  /**
   * The controller has told something. Called on the device's interrupt thread, or by {@link
   * NvmeController#pollEvents()}; it may use the controller, but not close it.
   */
  void occurred(NvmeEvent event);
}
