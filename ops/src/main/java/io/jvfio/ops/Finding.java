// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops;

import java.util.List;
import java.util.Optional;

/**
 * What a check has found. Immutable.
 *
 * @param id the check's name, such as {@code iommu}; the same in all versions
 * @param verdict what follows for whoever wants to use a device
 * @param object what was examined: {@code host}, a module, a node, a group or a device
 * @param lookedAt the files that were read, and what else was asked; never empty
 * @param found what they said, in one sentence or a few
 * @param why why it matters
 * @param mend what mends it, a command where there is one; empty where nothing has to be, or can be
 *     done
 */
public record Finding(
    String id,
    Verdict verdict,
    String object,
    List<String> lookedAt,
    String found,
    String why,
    Optional<String> mend) {

  /** Keeps a copy of the files. */
  public Finding {
    lookedAt = List.copyOf(lookedAt);
  }

  /** Verdict, check, object and what was found, in one line. */
  @Override
  public String toString() {
    return "%s %s, %s: %s".formatted(verdict, id, object, found);
  }
}
