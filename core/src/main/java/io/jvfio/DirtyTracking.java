// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.lang.foreign.MemorySegment;

/**
 * A record of the pages that devices write; closing ends it. IOMMUs that cannot tell report every
 * mapped page. Safe for use by several threads.
 */
public interface DirtyTracking extends AutoCloseable {
  /** The bytes that one bit stands for. */
  long pageSize();

  /**
   * Reads which pages of a mapping were written since the last read.
   *
   * @param bitmap is filled: bit i of the little-endian bit string is page i of the mapping
   * @throws IllegalArgumentException if {@code bitmap} has less than one bit a page, in whole
   *     multiples of 8 bytes
   * @throws VfioException if the mapping is not mapped, or the kernel refuses
   */
  void read(DmaMapping mapping, MemorySegment bitmap);

  /** Stops tracking. Idempotent. */
  @Override
  void close();
}
