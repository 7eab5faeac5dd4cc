// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.OpenFile;
import java.lang.foreign.MemorySegment;

/** The owner of an open device, as far as the device needs it. */
interface DeviceOwner {
  /** What is known of the machine. */
  HostFacts facts();

  /** Whether the device can be asked anything at all. */
  boolean isReachable();

  /** Whether what can be mapped of its regions is memory of another process. */
  boolean mapsMemory();

  /**
   * The reset of the device's bus.
   *
   * @throws UnsupportedOperationException if it is on none
   */
  HotReset hotReset(OpenFile file);

  /**
   * Writes registers that lie behind each other by fewer calls than one for each, if that can be
   * done.
   *
   * @param offset of the first in the device's file
   * @return how many bytes were written, or a negated errno; ENOTTY where there is no such way
   */
  long writeEach(long offset, MemorySegment source, int width);

  /**
   * Takes a device off the list of those to close; it closes itself.
   *
   * @return whether it was there
   */
  boolean forget(FileDevice device);

  /** Closes the device, and all that was opened for it alone. */
  void close();
}
