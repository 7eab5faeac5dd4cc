package io.jvfio.sim;

import java.io.Serial;

/** An argument of a system call is no memory of the process: the call answers EFAULT. */
final class UserFault extends Exception {
  @Serial private static final long serialVersionUID = 1;

  UserFault() {
    super("EFAULT", null, false, false);
  }
}
