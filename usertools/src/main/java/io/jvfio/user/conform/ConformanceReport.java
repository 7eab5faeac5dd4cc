// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import java.util.List;

/**
 * What a {@link Conformance} run has found.
 *
 * @param server the socket
 * @param version the version that the server answered, such as {@code 0.1}; empty if it did not
 * @param capabilities what it said of itself, as JSON; empty if nothing
 * @param endsWithClients whether the server ended whenever a client was gone, and was started again
 * @param results of all checks, in their order
 */
public record ConformanceReport(
    String server,
    String version,
    String capabilities,
    boolean endsWithClients,
    List<ConformanceResult> results) {
  /** Copies the list. */
  public ConformanceReport {
    results = List.copyOf(results);
  }

  /** How many checks ended so. */
  public long count(ConformanceResult.Outcome outcome) {
    return results.stream().filter(result -> result.outcome() == outcome).count();
  }

  /** Whether no check has failed. */
  public boolean isConformant() {
    return count(ConformanceResult.Outcome.FAILED) == 0;
  }
}
