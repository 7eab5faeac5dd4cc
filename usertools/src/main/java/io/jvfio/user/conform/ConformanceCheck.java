// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

/**
 * Something to look at in a server.
 *
 * @param name of the check
 * @param title what it looks at
 * @param section of the specification
 * @param expected what a server should do
 * @param body does it, and answers what came if that is well; a {@link Verdict} if it is not
 */
record ConformanceCheck(String name, String title, String section, String expected, Body body) {
  /** What a check does. */
  interface Body {
    String run(ConformanceRun run);
  }
}
