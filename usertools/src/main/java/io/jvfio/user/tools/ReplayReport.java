// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import java.util.List;

/**
 * What became of a replay.
 *
 * @param connections how many connections were played
 * @param sent how many messages were sent
 * @param compared how many that came were compared with recorded ones
 * @param differences in their order; the first thousands, should there be more
 * @param left how many more differences there are
 */
public record ReplayReport(
    int connections, long sent, long compared, List<ReplayDifference> differences, long left) {
  /** Copies the list. */
  public ReplayReport {
    differences = List.copyOf(differences);
  }

  /** Whether all was as recorded. */
  public boolean isSame() {
    return differences.isEmpty();
  }
}
