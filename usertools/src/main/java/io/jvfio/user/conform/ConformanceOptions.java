// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import java.time.Duration;
import java.util.Set;

/**
 * How a {@link Conformance} run is made.
 *
 * @param patience how long an answer is waited for, and a server that ended to be there again
 * @param writesBars whether BARs are written: what was read is written back, which a device may
 *     take for a command
 * @param only the names of checks, or the beginnings of names; all checks where there is none
 */
public record ConformanceOptions(Duration patience, boolean writesBars, Set<String> only) {
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  /** Copies the set. */
  public ConformanceOptions {
    only = Set.copyOf(only);
  }

  /** All checks, none of which writes a BAR; 5 seconds of patience. */
  public static ConformanceOptions defaults() {
    return new ConformanceOptions(PATIENCE, false, Set.of());
  }

  /** Waits longer or shorter. */
  public ConformanceOptions withPatience(Duration time) {
    return new ConformanceOptions(time, writesBars, only);
  }

  /** Writes to BARs what was read from them. */
  public ConformanceOptions withBarWrites() {
    return new ConformanceOptions(patience, true, only);
  }

  /** Makes some checks only, by the beginnings of their names. */
  public ConformanceOptions withOnly(Set<String> names) {
    return new ConformanceOptions(patience, writesBars, names);
  }
}
