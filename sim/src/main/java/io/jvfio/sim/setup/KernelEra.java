// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.setup;

/** Kernels whose VFIO answers differ. */
public enum KernelEra {
  /**
   * Before 5.19: whoever has a driver of its own in a group shows at GET_DEVICE_FD; sPAPR knows
   * platforms with and without ownership, and each has the one type that suits it.
   */
  LINUX_5_10,
  /** 6.4 to 6.10: DMA ownership is taken at SET_CONTAINER; pSeries lends the host's table. */
  LINUX_6_8,
  /** From 6.11 on: pSeries makes windows of its own. */
  LINUX_6_12;

  /** Whether joining a container claims the right to DMA for the whole group. */
  public boolean claimsOwnership() {
    return this != LINUX_5_10;
  }
}
