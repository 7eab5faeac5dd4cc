// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * Shortens a list that fails, by leaving out pieces as long as what is left fails too: halves
 * first, then ever smaller pieces, until no single element can be spared.
 */
final class Shrinker {
  private Shrinker() {}

  /**
   * The shortest list found.
   *
   * @param fails whether a list still fails; it holds for {@code list}
   * @param trials how often that may be asked; when it is used up, what is left may not be shortest
   */
  static <T> List<T> shrink(List<T> list, Predicate<List<T>> fails, int trials) {
    var shortest = list;
    int left = trials;
    int piece = Math.max(1, shortest.size() / 2);
    while (true) {
      boolean shortened = false;
      for (int start = 0; start < shortest.size() && left > 0; ) {
        var candidate = without(shortest, start, Math.min(start + piece, shortest.size()));
        left--;
        if (!candidate.isEmpty() && fails.test(candidate)) {
          shortest = candidate;
          shortened = true;
        } else {
          start += piece;
        }
      }
      if (left == 0 || (piece == 1 && !shortened)) {
        return shortest;
      }
      if (!shortened) {
        piece = Math.max(1, piece / 2);
      }
    }
  }

  private static <T> List<T> without(List<T> list, int from, int to) {
    var rest = new ArrayList<>(list.subList(0, from));
    rest.addAll(list.subList(to, list.size()));
    return List.copyOf(rest);
  }
}
