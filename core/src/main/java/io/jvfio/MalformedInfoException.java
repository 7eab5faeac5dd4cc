package io.jvfio;

import java.io.Serial;

/** An information block of the kernel that contradicts itself. */
final class MalformedInfoException extends Exception {
  @Serial private static final long serialVersionUID = 1;

  private final String what;

  /** A block that has {@code what}, which completes "the kernel describes it with …". */
  MalformedInfoException(String what) {
    super(what);
    this.what = what;
  }

  String what() {
    return what;
  }
}
