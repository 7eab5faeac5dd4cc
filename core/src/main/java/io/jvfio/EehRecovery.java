// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;

/**
 * The result of a recovery from an error.
 *
 * @param before the endpoint's state when it was asked first
 * @param after its state in the end
 * @param errors what the device had recorded, in words; empty where it has no log, or an empty one
 * @param steps what was done, in order; empty where nothing was wrong
 */
public record EehRecovery(
    EehEndpoint.State before, EehEndpoint.State after, List<String> errors, List<String> steps) {

  /** Keeps copies of the lists. */
  public EehRecovery {
    errors = List.copyOf(errors);
    steps = List.copyOf(steps);
  }

  /** Whether the endpoint works now. */
  public boolean isWorking() {
    return after == EehEndpoint.State.NORMAL;
  }
}
