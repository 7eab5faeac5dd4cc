// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import java.io.Serial;

/** A message is not as the protocol has it. */
public final class MalformedMessageException extends Exception {
  @Serial private static final long serialVersionUID = 1;

  private final String what;

  /**
   * A malformed message.
   *
   * @param what is wrong, as a noun: {@code a reply of 8 bytes}
   */
  public MalformedMessageException(String what) {
    super("the peer sent " + what);
    this.what = what;
  }

  /** What is wrong, as a noun. */
  public String what() {
    return what;
  }
}
