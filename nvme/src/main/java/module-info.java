// SPDX-License-Identifier: Apache-2.0
/**
 * The NVMe driver, over any VFIO device.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
module io.jvfio.nvme {
  requires static org.jspecify;
  requires static jdk.jfr; // a runtime without it has no events
  requires transitive io.jvfio;

  exports io.jvfio.nvme;
}
