// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import java.io.Serial;

/** An information block of the kernel that contradicts itself. */
public final class MalformedInfoException extends Exception {
  @Serial private static final long serialVersionUID = 1;

  private final String what;

  /** A block that has {@code what}, which completes "the kernel describes it with …". */
  public MalformedInfoException(String what) {
    super(what);
    this.what = what;
  }

  public String what() {
    return what;
  }
}
