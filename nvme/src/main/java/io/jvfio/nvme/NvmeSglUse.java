// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/**
 * The choices of when the memory of a transfer is described by a Scatter Gather List rather than
 * PRP entries.
 */
public enum NvmeSglUse {
  /** Where the controller supports SGLs and they are shorter: transfers of three pages and more. */
  AUTOMATIC,

  /** Never: PRP entries and lists. */
  NEVER,

  /**
   * SGLs are used for all data of I/O commands; opening fails if the controller does not support
   * SGLs.
   */
  ALWAYS
}
