// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import java.lang.foreign.MemorySegment;

/** The translation between a device and memory. */
public interface DmaTranslation {
  /**
   * The memory at {@code iova}: at most {@code byteSize} bytes, in one piece, at least one byte.
   *
   * @throws DmaBlocked if the device may not get there
   */
  MemorySegment reach(long iova, long byteSize, boolean write) throws DmaBlocked;
}
