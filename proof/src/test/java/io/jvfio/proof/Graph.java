// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof;

import static java.util.Objects.requireNonNull;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Who needs whom, by name. */
final class Graph {
  private final Map<String, Set<String>> edges = new TreeMap<>();

  void edge(String from, String to) {
    edges.computeIfAbsent(to, _ -> new TreeSet<>());
    if (from.equals(to)) {
      edges.computeIfAbsent(from, _ -> new TreeSet<>());
    } else {
      edges.computeIfAbsent(from, _ -> new TreeSet<>()).add(to);
    }
  }

  /**
   * The sets of those who all need each other, by Tarjan's algorithm, without recursion.
   *
   * @return sets of two or more
   */
  List<Collection<String>> circles() {
    var walk = new Walk();
    for (var node : edges.keySet()) {
      if (!walk.number.containsKey(node)) {
        walk.from(node);
      }
    }
    return walk.circles;
  }

  private final class Walk {
    private record Step(String node, ArrayDeque<String> left) {}

    private final Map<String, Integer> number = new HashMap<>();
    private final Map<String, Integer> lowest = new HashMap<>();
    private final ArrayDeque<String> open = new ArrayDeque<>();
    private final Set<String> isOpen = new HashSet<>();
    private final ArrayDeque<Step> path = new ArrayDeque<>();
    private final List<Collection<String>> circles = new ArrayList<>();

    private void from(String start) {
      enter(start);
      while (!path.isEmpty()) {
        var step = path.getLast();
        var next = step.left.poll();
        if (next == null) {
          path.removeLast();
          leave(step.node);
        } else if (!number.containsKey(next)) {
          enter(next);
        } else if (isOpen.contains(next)) {
          lowest.merge(step.node, requireNonNull(number.get(next)), Math::min);
        }
      }
    }

    private void enter(String node) {
      number.put(node, number.size());
      lowest.put(node, number.size() - 1);
      open.add(node);
      isOpen.add(node);
      path.add(new Step(node, new ArrayDeque<>(requireNonNull(edges.get(node)))));
    }

    private void leave(String node) {
      int low = requireNonNull(lowest.get(node));
      if (!path.isEmpty()) {
        lowest.merge(path.getLast().node, low, Math::min);
      }
      if (low == requireNonNull(number.get(node))) {
        var circle = new TreeSet<String>();
        String member;
        do {
          member = open.removeLast();
          isOpen.remove(member);
          circle.add(member);
        } while (!member.equals(node));
        if (circle.size() > 1) {
          circles.add(circle);
        }
      }
    }
  }
}
