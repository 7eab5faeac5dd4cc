// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.List;
import java.util.Optional;

/**
 * The full record of how the IOMMU type of a group was found.
 *
 * @param attempts every candidate of the policy, in the order tried
 * @param chosen the first one that works; empty when none does
 * @param failure what the user has to mend, where something other than a missing type stopped the
 *     negotiation
 * @param leftOut what the policy left out although the kernel offers it to this group, where
 *     nothing was chosen and nothing is to be mended: skipped attempts that say why. Whether these
 *     types work was not tried
 */
public record Negotiation(
    List<Attempt> attempts,
    Optional<IommuType> chosen,
    Optional<VfioException> failure,
    List<Attempt> leftOut) {

  /** Keeps a copy of the attempts. */
  public Negotiation {
    attempts = List.copyOf(attempts);
    leftOut = List.copyOf(leftOut);
  }

  /** The types that were tried and work. */
  public List<IommuType> usable() {
    return attempts.stream()
        .filter(attempt -> attempt.outcome() == Attempt.Outcome.USABLE)
        .map(Attempt::type)
        .toList();
  }
}
