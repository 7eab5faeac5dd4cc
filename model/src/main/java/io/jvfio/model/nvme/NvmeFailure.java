// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

/** The ways in which a controller fails, see {@link NvmeFaults#become}. */
public enum NvmeFailure {
  /** It works. */
  NONE,
  /**
   * It stands still: registers can be read and written, but no command is fetched and none
   * completes. A controller reset ends this.
   */
  HUNG,
  /** As {@link #HUNG}, and it says so in CSTS.CFS. */
  FATAL,
  /** As {@link #HUNG}, CSTS.RDY is 0 and stays so, even over a controller reset. */
  NOT_READY,
  /** It is off the bus: writes go nowhere and reads bring ones, whatever is reset. */
  GONE,
}
