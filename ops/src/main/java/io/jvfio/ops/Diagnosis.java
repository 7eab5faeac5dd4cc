// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops;

import java.util.List;

/**
 * What a {@link Doctor} has found on a host. Immutable.
 *
 * @param host the host's name, such as {@code local}
 * @param findings in the order in which they should be read: the machine first, then groups, then
 *     devices
 */
public record Diagnosis(String host, List<Finding> findings) {

  /** Keeps a copy of the findings. */
  public Diagnosis {
    findings = List.copyOf(findings);
  }

  /** How many findings have this verdict. */
  public long count(Verdict verdict) {
    return findings.stream().filter(finding -> finding.verdict() == verdict).count();
  }

  /** Whether something keeps devices from being used. */
  public boolean isBlocked() {
    return count(Verdict.FAIL) > 0;
  }

  /** The host, and how many findings of each verdict there are. */
  @Override
  public String toString() {
    return "%s: %d fail, %d warn, %d pass, %d not known"
        .formatted(
            host,
            count(Verdict.FAIL),
            count(Verdict.WARN),
            count(Verdict.PASS),
            count(Verdict.UNKNOWN));
  }
}
