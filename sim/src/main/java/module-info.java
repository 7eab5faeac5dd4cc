// SPDX-License-Identifier: Apache-2.0
/**
 * A Linux VFIO host in process: system calls, sysfs and IOMMUs, with device models plugged in.
 *
 * @since 0.1.0
 */
@org.jspecify.annotations.NullMarked
module io.jvfio.sim {
  requires static org.jspecify;
  requires com.fasterxml.jackson.core;
  requires transitive io.jvfio.model;

  exports io.jvfio.sim;
}
