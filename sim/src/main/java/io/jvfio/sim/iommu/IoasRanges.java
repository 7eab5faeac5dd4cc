// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/** Ranges of unsigned 64-bit addresses, each with its last address, which may overlap. */
final class IoasRanges {
  private final List<Range> ranges = new ArrayList<>();

  /**
   * A range.
   *
   * @param owner who put it there, for {@link IoasRanges#removeOf}
   */
  record Range(long start, long last, Object owner) {
    boolean meets(long otherStart, long otherLast) {
      return Long.compareUnsigned(start, otherLast) <= 0
          && Long.compareUnsigned(otherStart, last) <= 0;
    }
  }

  void add(Range range) {
    ranges.add(range);
    ranges.sort(Comparator.comparing(Range::start, Long::compareUnsigned));
  }

  void addAll(Collection<Range> added) {
    added.forEach(this::add);
  }

  void clear() {
    ranges.clear();
  }

  boolean isEmpty() {
    return ranges.isEmpty();
  }

  /** Lists the ranges in ascending order of their starts. */
  List<Range> list() {
    return List.copyOf(ranges);
  }

  void removeOf(Object owner) {
    ranges.removeIf(range -> range.owner().equals(owner));
  }

  boolean meet(long start, long last) {
    return ranges.stream().anyMatch(range -> range.meets(start, last));
  }

  /** What is in one or several of them, in as few ranges as possible. */
  List<IovaRanges.Range> union() {
    var union = new ArrayList<IovaRanges.Range>();
    for (var range : ranges) {
      var end = union.isEmpty() ? null : union.getLast();
      // A range that ends with the last address has everything after it.
      if (end != null
          && (end.last() == -1 || Long.compareUnsigned(range.start(), end.last() + 1) <= 0)) {
        if (Long.compareUnsigned(range.last(), end.last()) > 0) {
          union.set(union.size() - 1, new IovaRanges.Range(end.start(), range.last()));
        }
      } else {
        union.add(new IovaRanges.Range(range.start(), range.last()));
      }
    }
    return union;
  }

  /** What is in none of them. */
  List<IovaRanges.Range> holes() {
    var holes = new ArrayList<IovaRanges.Range>();
    long at = 0;
    for (var range : union()) {
      if (range.start() != at) {
        holes.add(new IovaRanges.Range(at, range.start() - 1));
      }
      at = range.last() + 1;
      if (at == 0) {
        return holes;
      }
    }
    holes.add(new IovaRanges.Range(at, -1));
    return holes;
  }
}
