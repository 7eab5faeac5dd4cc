// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;

import io.jvfio.linux.uapi.Layouts;
import io.jvfio.sim.memory.CapabilityChain;
import io.jvfio.sim.setup.HostDescription;
import java.util.ArrayList;
import java.util.List;

/**
 * The IOVAs that a set of groups can use: what the IOMMU translates, without what any group has
 * reserved.
 */
public final class IovaRanges {
  /** Bytes of the capability's head, and of each range in it. */
  private static final long HEAD = 16;

  private final List<Range> ranges = new ArrayList<>();

  /** A range with its last address. */
  public record Range(long start, long last) {
    public boolean meets(Range other) {
      return !isBelow(other.last, start) && !isBelow(last, other.start);
    }
  }

  /** The ranges of {@code groups}. */
  IovaRanges(long lastIova, Iterable<IommuGroup> groups) {
    ranges.add(new Range(0, lastIova));
    for (var group : groups) {
      for (var reserved : group.description().reserved()) {
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

  /** Tells {@code ranges} in an info struct's chain of capabilities. */
  static void addTo(CapabilityChain chain, List<Range> ranges) {
    var capability =
        chain.add(VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, HEAD + HEAD * ranges.size());
    capability.set(Layouts.U32, 8, ranges.size());
    long at = HEAD;
    for (var range : ranges) {
      capability.set(Layouts.U64, at, range.start());
      capability.set(Layouts.U64, at + 8, range.last());
      at += HEAD;
    }
  }

  /** Whether an address is below another one; both are unsigned. */
  static boolean isBelow(long address, long other) {
    return Long.compareUnsigned(address, other) < 0;
  }

  /** Whether a range goes on beyond the last address. */
  static boolean wraps(long start, long size) {
    return isBelow(start + size - 1, start);
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
