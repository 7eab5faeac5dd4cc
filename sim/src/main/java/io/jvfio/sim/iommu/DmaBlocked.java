// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import java.io.Serial;

/** A translation did not let a device through. */
public final class DmaBlocked extends Exception {
  @Serial private static final long serialVersionUID = 1;

  private final long iova;
  private final String reason;

  public DmaBlocked(long iova, String reason) {
    super(reason, null, false, false);
    this.iova = iova;
    this.reason = reason;
  }

  /** An access where nothing is mapped. */
  static DmaBlocked notMapped(long iova) {
    return new DmaBlocked(iova, "nothing is mapped there");
  }

  /** An access of a kind that the mapping does not permit. */
  static DmaBlocked notPermitted(long iova, boolean write) {
    return new DmaBlocked(iova, write ? "mapped for reading only" : "mapped for writing only");
  }

  public long iova() {
    return iova;
  }

  public String reason() {
    return reason;
  }
}
