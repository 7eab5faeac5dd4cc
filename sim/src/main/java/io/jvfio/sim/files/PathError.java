// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import java.io.Serial;

/** A path does not lead to what was asked for. */
public final class PathError extends Exception {
  @Serial private static final long serialVersionUID = 1;

  private final transient Errno errno;

  public PathError(Errno errno) {
    super(errno.symbol(), null, false, false);
    this.errno = errno;
  }

  public Errno errno() {
    return errno;
  }
}
