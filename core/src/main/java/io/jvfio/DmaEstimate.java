// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;
import java.util.OptionalLong;

/**
 * The cost of a mapping, told without making it.
 *
 * @param fits whether it would succeed, as far as that can be known
 * @param iova the address it would get; empty where there is no room
 * @param lockedBytesNeeded what it would lock, in bytes, over all containers and tables
 * @param lockedBytesAvailable what this process may still lock; empty where there is no limit
 * @param entriesNeeded mapping entries it would take
 * @param entriesAvailable mapping entries left; empty where there is no limit
 * @param changes what the user would have to change, a sentence each; empty if it fits
 */
public record DmaEstimate(
    boolean fits,
    OptionalLong iova,
    long lockedBytesNeeded,
    OptionalLong lockedBytesAvailable,
    long entriesNeeded,
    OptionalLong entriesAvailable,
    List<String> changes) {

  /** Keeps a copy of the list. */
  public DmaEstimate {
    changes = List.copyOf(changes);
  }

  @Override
  public String toString() {
    return fits
        ? "fits%s, locks %,d bytes"
            .formatted(
                iova.isPresent() ? " at 0x%x".formatted(iova.getAsLong()) : "", lockedBytesNeeded)
        : "does not fit: " + String.join(" ", changes);
  }
}
