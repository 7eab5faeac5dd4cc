// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.recording;

import static java.util.Objects.requireNonNull;

import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import java.util.List;
import java.util.Set;

/**
 * A host as it was seen: all that its file tells.
 *
 * @param description the host
 * @param settings the rights and limits that the process had
 * @param notSeen a sentence for each thing that could not be seen, and what stands in its place
 */
public record Recording(HostDescription description, HostSettings settings, List<String> notSeen) {

  /** Keeps a copy of the list. */
  public Recording {
    notSeen = List.copyOf(notSeen);
  }

  /** A sentence for each attempt that ended otherwise in {@code other}, a recording of this one. */
  public List<String> differences(Recording other) {
    var same = Set.copyOf(requireNonNull(other.description.recorded()).answers());
    return requireNonNull(description.recorded()).answers().stream()
        .filter(answer -> !same.contains(answer))
        .map(
            answer ->
                "Group %d: %s ended with '%s' at step '%s' on the host, and does not in this recording."
                    .formatted(answer.group(), answer.type(), answer.outcome(), answer.reached()))
        .toList();
  }
}
