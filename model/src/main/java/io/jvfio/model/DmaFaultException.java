// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import java.io.Serial;

/** A device's access to memory was stopped by the IOMMU. */
public final class DmaFaultException extends Exception {
  @Serial private static final long serialVersionUID = 1;

  private final long iova;

  /**
   * A fault at {@code iova}.
   *
   * @param reason why, in words
   */
  public DmaFaultException(long iova, String reason) {
    super("DMA to IOVA 0x%x: %s".formatted(iova, reason));
    this.iova = iova;
  }

  /** The first address that could not be reached. */
  public long iova() {
    return iova;
  }
}
