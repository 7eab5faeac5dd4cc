package io.jvfio.sim;

import java.util.ArrayList;
import java.util.List;

/**
 * The IOVAs that a set of groups can use: what the IOMMU translates, without what any group has
 * reserved.
 */
final class IovaRanges {
  private final List<Range> ranges = new ArrayList<>();

  /** A range with its last address. */
  record Range(long start, long last) {}

  /** The ranges of {@code groups}. */
  IovaRanges(long lastIova, Iterable<VfioGroup> groups) {
    ranges.add(new Range(0, lastIova));
    for (var group : groups) {
      for (var reserved : group.description.reserved()) {
        if (reserved.limitsMapping()) {
          exclude(reserved);
        }
      }
    }
  }

  private void exclude(HostDescription.Reserved reserved) {
    for (int i = 0; i < ranges.size(); i++) {
      var range = ranges.get(i);
      if (isBelow(reserved.last(), range.start()) || isBelow(range.last(), reserved.start())) {
        continue;
      }
      ranges.remove(i);
      if (isBelow(reserved.last(), range.last())) {
        ranges.add(i, new Range(reserved.last() + 1, range.last()));
      }
      if (isBelow(range.start(), reserved.start())) {
        ranges.add(i, new Range(range.start(), reserved.start() - 1));
        i++;
      }
    }
  }

  private static boolean isBelow(long address, long other) {
    return Long.compareUnsigned(address, other) < 0;
  }

  /** The ranges, in ascending order. */
  List<Range> list() {
    return ranges;
  }

  /** Whether one of them has all of a range. */
  boolean contain(long start, long last) {
    for (var range : ranges) {
      if (!isBelow(start, range.start()) && !isBelow(range.last(), last)) {
        return true;
      }
    }
    return false;
  }
}
