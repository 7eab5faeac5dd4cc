// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.io.IOException;
import java.io.Serial;

/** A file operation of {@link Kernel} failed. Callers add what it means and what to do. */
public final class ErrnoException extends IOException {
  @Serial private static final long serialVersionUID = 1;

  private final int number;

  /**
   * A failure of {@code operation} with {@code errno}.
   *
   * @param operation the operation and its object, such as {@code readlink(/sys/…)}
   */
  public ErrnoException(String operation, Errno errno) {
    super(operation + " failed: " + errno.symbol() + " (" + errno.text() + ")");
    this.number = errno.number();
  }

  /** The error. */
  public Errno errno() {
    return Errno.of(number);
  }
}
