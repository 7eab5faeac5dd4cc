// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import java.io.Serial;

/** An argument of a system call is no memory of the process: the call answers EFAULT. */
public final class UserFault extends Exception {
  @Serial private static final long serialVersionUID = 1;

  public UserFault() {
    super("EFAULT", null, false, false);
  }
}
