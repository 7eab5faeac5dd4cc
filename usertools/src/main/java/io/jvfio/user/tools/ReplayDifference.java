// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

/**
 * Something that was not as it was recorded.
 *
 * @param connection which connection of the recording: 1 for the first
 * @param message which message of that connection, counted from 1; 0 for none in particular
 * @param command the command that it is about
 * @param field the field, or what else differs
 * @param kind whether it matters
 * @param recorded what was recorded
 * @param came what came now
 */
public record ReplayDifference(
    int connection,
    int message,
    String command,
    String field,
    Kind kind,
    String recorded,
    String came) {
  /** What kind of difference it is. */
  public enum Kind {
    /** The other side did something else. */
    FIELD("field"),
    /** Data of the device, or room that was kept for them: registers change. */
    DATA("data"),
    /** Nothing came. */
    MISSING("missing"),
    /** Something came that was not recorded. */
    UNEXPECTED("unexpected");

    private final String id;

    Kind(String id) {
      this.id = id;
    }

    /** Its name in text and JSON. */
    public String id() {
      return id;
    }
  }
}
