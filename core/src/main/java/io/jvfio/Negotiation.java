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
 */
public record Negotiation(
    List<Attempt> attempts, Optional<IommuType> chosen, Optional<VfioException> failure) {

  /** Keeps a copy of the attempts. */
  public Negotiation {
    attempts = List.copyOf(attempts);
  }

  /** The types that were tried and work. */
  public List<IommuType> usable() {
    return attempts.stream()
        .filter(attempt -> attempt.outcome() == Attempt.Outcome.USABLE)
        .map(Attempt::type)
        .toList();
  }
}
