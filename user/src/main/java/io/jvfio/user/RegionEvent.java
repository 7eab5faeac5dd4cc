// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * An eventfd that a server watches for writes to a part of a region. Safe for use by several
 * threads. Source: "VFIO_USER_DEVICE_GET_REGION_IO_FDS".
 *
 * <p>With a <i>shadow</i> the value is written to memory that the server looks at when it was
 * signalled; without one the server learns of a write and not of its value, unless that is the only
 * one that signals.
 */
public interface RegionEvent {
  /** Where in the region it is, in bytes. */
  long offset();

  /** The width of the writes that it stands for, in bytes; 0 for any. */
  long byteSize();

  /** The only value that it stands for; empty if it stands for all. */
  OptionalLong match();

  /** Whether the server sees the value that is written. */
  boolean hasShadow();

  /**
   * The eventfd, such as for a virtual machine to signal.
   *
   * @throws IllegalStateException if closed
   */
  int fileDescriptor();

  /** The shadow's memory, such as for a virtual machine to write; empty if there is none. */
  Optional<MemorySegment> shadow();

  /**
   * Writes a register: its value goes to the shadow, if there is one, and the eventfd is signalled.
   * Returns before the device has seen it.
   *
   * @throws IllegalArgumentException if it stands for another value only
   * @throws IllegalStateException if closed
   */
  void write(long value);
}
