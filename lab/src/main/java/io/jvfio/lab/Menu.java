// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** What may come next, each with its weight. */
final class Menu {
  private record Entry(int weight, Runnable action) {}

  private final List<Entry> entries = new ArrayList<>();
  private int total;

  /** Adds a choice that is taken {@code weight} times of the sum of all weights. */
  void add(int weight, Runnable action) {
    entries.add(new Entry(weight, action));
    total += weight;
  }

  /**
   * Takes one.
   *
   * @throws IllegalArgumentException when there is none
   */
  void choose(SplittableRandom random) {
    int left = random.nextInt(total);
    for (var entry : entries) {
      left -= entry.weight();
      if (left < 0) {
        entry.action().run();
        return;
      }
    }
  }
}
