// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

/**
 * What a check of a {@link Conformance} run has found.
 *
 * @param check the name of the check
 * @param title what it looks at, as a clause about the server
 * @param section the section of the specification that it is from
 * @param outcome how it ended
 * @param expected what the specification, or common practice where it is silent, has a server do
 * @param came what the server did, or why the check was left out
 */
public record ConformanceResult(
    String check, String title, String section, Outcome outcome, String expected, String came) {
  /** How a check can end. */
  public enum Outcome {
    /** As expected. */
    PASSED("passed"),
    /** Against the specification. */
    FAILED("failed"),
    /** Not as others do, where the specification is silent: worth to know, and no failure. */
    DIFFERS("differs"),
    /** There was nothing to look at. */
    SKIPPED("skipped");

    private final String id;

    Outcome(String id) {
      this.id = id;
    }

    /** Its name in text and JSON. */
    public String id() {
      return id;
    }
  }
}
