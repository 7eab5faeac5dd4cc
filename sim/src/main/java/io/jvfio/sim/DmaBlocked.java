package io.jvfio.sim;

import java.io.Serial;

/** A translation did not let a device through. */
final class DmaBlocked extends Exception {
  @Serial private static final long serialVersionUID = 1;

  private final long iova;
  private final String reason;

  DmaBlocked(long iova, String reason) {
    super(reason, null, false, false);
    this.iova = iova;
    this.reason = reason;
  }

  long iova() {
    return iova;
  }

  String reason() {
    return reason;
  }
}
