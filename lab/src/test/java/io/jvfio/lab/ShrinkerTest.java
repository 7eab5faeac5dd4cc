// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ShrinkerTest {
  private static final int PLENTY = 10_000;

  private static List<Integer> numbers(int count) {
    return IntStream.range(0, count).boxed().toList();
  }

  @Test
  void whatIsNeededIsAllThatIsLeft() {
    var random = new SplittableRandom(7);
    for (int round = 0; round < 200; round++) {
      var needed = new TreeSet<Integer>();
      int count = 1 + random.nextInt(60);
      for (int i = random.nextInt(5); i >= 0; i--) {
        needed.add(random.nextInt(count));
      }

      assertThat(Shrinker.shrink(numbers(count), list -> list.containsAll(needed), PLENTY))
          .containsExactlyElementsOf(needed);
    }
  }

  @Test
  void noElementOfTheShortestCanBeSpared() {
    // Three of any kind: many lists are shortest.
    var shortest = Shrinker.shrink(numbers(40), list -> list.size() >= 3, PLENTY);

    assertThat(shortest).hasSize(3).isSorted();
  }

  @Test
  void theEmptyListIsNeverTried() {
    assertThat(Shrinker.shrink(numbers(9), _ -> true, PLENTY)).hasSize(1);
  }

  @Test
  void itStopsWhenItHasTriedOftenEnough() {
    var tried = new ArrayList<List<Integer>>();
    var left =
        Shrinker.shrink(
            numbers(64),
            list -> {
              tried.add(list);
              return list.contains(63) && list.contains(0);
            },
            10);

    assertThat(tried).hasSize(10);
    assertThat(left).contains(0, 63);
  }
}
