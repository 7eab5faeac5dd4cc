// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.peer;

import java.io.Serial;
import java.util.Objects;

/**
 * A peer did not answer as somebody waits for: it is gone, or silent, or its bytes are no message.
 */
public class PeerException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  private final boolean isGone;

  /**
   * What happened.
   *
   * @param isGone whether the peer closed the connection
   * @param what as a clause of what the peer did, such as {@code closed the connection}
   */
  public PeerException(boolean isGone, String what) {
    super(what);
    this.isGone = isGone;
  }

  @Override
  public String getMessage() {
    return Objects.requireNonNull(super.getMessage(), "always given");
  }

  /** Whether it closed the connection. */
  public boolean isGone() {
    return isGone;
  }
}
