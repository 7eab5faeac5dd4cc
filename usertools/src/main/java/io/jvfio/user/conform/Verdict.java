// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import java.io.Serial;

/** Ends a check early, otherwise than well. */
final class Verdict extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  private final ConformanceResult.Outcome outcome;
  private final String came;

  private Verdict(ConformanceResult.Outcome outcome, String came) {
    super(came, null, false, false);
    this.outcome = outcome;
    this.came = came;
  }

  /** The server did what it must not do. */
  static Verdict failed(String came) {
    return new Verdict(ConformanceResult.Outcome.FAILED, came);
  }

  /** The server did what others do not do, and may. */
  static Verdict differs(String came) {
    return new Verdict(ConformanceResult.Outcome.DIFFERS, came);
  }

  /** There is nothing to look at. */
  static Verdict skipped(String reason) {
    return new Verdict(ConformanceResult.Outcome.SKIPPED, reason);
  }

  ConformanceResult.Outcome outcome() {
    return outcome;
  }

  String came() {
    return came;
  }
}
