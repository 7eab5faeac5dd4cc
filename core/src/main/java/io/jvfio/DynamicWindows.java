// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;

/**
 * The DMA windows of sPAPR version 2. Source: {@code drivers/vfio/vfio_iommu_spapr_tce.c}.
 *
 * <p>On pSeries a window that the hypervisor refuses takes the device's DMA away until the next
 * boot, so what is known to fail is not asked. Safe for use by several threads.
 */
public interface DynamicWindows {
  /** The number of windows that there can be at once. */
  int limit();

  /** The IOMMU page sizes that a window can have, in bytes, ascending. */
  List<Long> pageSizes();

  /** The number of levels that a window's table may have. */
  int levels();

  /**
   * Creates a window; where it starts is the platform's choice.
   *
   * @param byteSize rounded up to a power of two
   * @param pageSize one of {@link #pageSizes()}; memory mapped there must be made of pages at least
   *     as large
   * @throws VfioException if no more windows fit, or the kernel refuses
   */
  DmaWindow create(long byteSize, long pageSize);

  /**
   * Removes a window in which nothing is mapped.
   *
   * @throws IllegalStateException while something is mapped there
   * @throws VfioException if there is no such window, or the kernel refuses
   */
  void remove(DmaWindow window);

  /**
   * Removes the default window and creates this one instead, or puts the default window back and
   * says why.
   *
   * @throws IllegalStateException while something is mapped in the default window
   * @throws VfioException as {@link #create}
   */
  DmaWindow replaceDefault(long byteSize, long pageSize);

  /**
   * Creates the default window again after it was removed.
   *
   * @throws VfioException if there is no room for it, or the kernel refuses
   */
  DmaWindow restoreDefault();
}
