// SPDX-License-Identifier: Apache-2.0
/** The NVMe driver, over any VFIO device. */
@org.jspecify.annotations.NullMarked
module io.jvfio.nvme {
  requires static org.jspecify;
  requires transitive io.jvfio;

  exports io.jvfio.nvme;
}
