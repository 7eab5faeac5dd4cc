// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

/**
 * The area that one call mapped, or a part of it.
 *
 * @param offset where in {@code pages} it begins, in bytes
 */
record IoasArea(long iova, long last, IoasPages pages, long offset, boolean read, boolean write) {
  long byteSize() {
    return last - iova + 1;
  }

  boolean isAligned(long alignment, long pageSize) {
    return ((iova | byteSize() | offset % pageSize) & alignment - 1) == 0;
  }

  /** Where in its pages an address of it is, in bytes. */
  long offsetOf(long address) {
    return offset + (address - iova);
  }
}
