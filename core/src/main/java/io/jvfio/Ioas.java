// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;

/**
 * The operations that an IO address space (IOAS) of iommufd has beyond other DMA spaces. Source:
 * {@code include/uapi/linux/iommufd.h}. Safe for use by several threads.
 */
public interface Ioas {
  /**
   * Reserves addresses for mapping: a device that would need some of them for itself, such as for
   * its interrupts, is then refused when it is opened, instead of making them invalid.
   *
   * @param ranges the ranges to keep; they replace those of an earlier call
   * @throws VfioException if a range is not valid here already, or two overlap
   */
  void keepValid(List<DmaWindow> ranges);

  /**
   * Whether the IOMMU may map pages that lie together as larger ones: yes, unless changed.
   *
   * @throws VfioException if the kernel refuses
   */
  boolean combinesPages();

  /**
   * Lets pages be combined or not; not, makes dirty tracking exact to the page, at the price of
   * speed. It applies to what is mapped later.
   *
   * @throws VfioException if the kernel refuses, such as while something is mapped
   */
  void combinePages(boolean combine);
}
