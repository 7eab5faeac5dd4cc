// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import io.jvfio.VfioDevice;

/** A device behind a socket: as any other, and what only such a device has. */
public interface VfioUserDevice extends VfioDevice {
  /**
   * The eventfds by which registers of a region can be written, where the server watches any: a
   * signal is taken for a write, without a message.
   *
   * @param region the index of the region
   * @return those that there are, often none; to be closed by the caller. They belong to the
   *     present connection: after a new one ({@link #reconnects()}) they are of no use
   * @throws io.jvfio.VfioException if the server refuses; it does where a region has no registers
   * @throws IllegalStateException if the device is closed
   */
  RegionEvents ioEventFds(int region);

  /** How often a connection that was lost has been replaced by a new one. */
  long reconnects();
}
