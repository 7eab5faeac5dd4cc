// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import java.io.Serial;

/** A call would harm the kernel that is imitated; the door tells the caller. */
public final class HarmfulCall extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  /** With what was asked for and what would come of it. */
  HarmfulCall(String message) {
    super(message);
  }
}
