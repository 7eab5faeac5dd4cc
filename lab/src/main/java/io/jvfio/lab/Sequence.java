// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.util.List;

/** A named list of steps, run on a kernel that nobody else uses. */
record Sequence(String name, List<Step> steps) {
  Sequence {
    steps = List.copyOf(steps);
  }
}
