// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import java.io.Serial;

/**
 * Software accessed what a device has declared to be no register. The access had no effect. A
 * vfio-user server answers it with an error; on a simulated host it is thrown where the access was
 * made, so that a test of a driver finds it.
 */
public final class RefusedAccessException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  /** An access that is refused for a reason. */
  public RefusedAccessException(String reason) {
    super(reason);
  }
}
