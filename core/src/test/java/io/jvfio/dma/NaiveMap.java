// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What {@link IovaMap} should do, with lists, scans and numbers that do not wrap. */
final class NaiveMap {
  /** First and last address. */
  record Extent(BigInteger start, BigInteger last) {
    boolean contains(Extent other) {
      return start.compareTo(other.start) <= 0 && other.last.compareTo(last) <= 0;
    }

    boolean overlaps(Extent other) {
      return start.compareTo(other.last) <= 0 && other.start.compareTo(last) <= 0;
    }

    @Override
    public String toString() {
      return start.toString(16) + "-" + last.toString(16);
    }
  }

  record Mapping(Extent extent, Object owner) {}

  final List<Extent> ranges = new ArrayList<>();
  final List<Mapping> mappings = new ArrayList<>();

  static BigInteger big(long unsigned) {
    return new BigInteger(Long.toUnsignedString(unsigned));
  }

  static Extent extent(long start, long byteSize) {
    return new Extent(big(start), big(start).add(big(byteSize)).subtract(BigInteger.ONE));
  }

  boolean addRange(Extent range) {
    if (range.start.compareTo(range.last) > 0 || ranges.stream().anyMatch(range::overlaps)) {
      return false;
    }
    ranges.add(range);
    ranges.sort(Comparator.comparing(Extent::start));
    return true;
  }

  boolean isMapped(Extent extent) {
    return mappings.stream().anyMatch(m -> m.extent.overlaps(extent));
  }

  boolean insert(Extent extent, Object owner) {
    if (isMapped(extent) || ranges.stream().noneMatch(r -> r.contains(extent))) {
      return false;
    }
    int i = 0;
    while (i < mappings.size() && mappings.get(i).extent.start.compareTo(extent.start) < 0) {
      i++;
    }
    mappings.add(i, new Mapping(extent, owner));
    return true;
  }

  @Nullable Mapping at(BigInteger address) {
    var byteThere = new Extent(address, address);
    return mappings.stream().filter(m -> m.extent.overlaps(byteThere)).findFirst().orElse(null);
  }

  @Nullable Mapping firstFrom(BigInteger address) {
    return mappings.stream()
        .filter(m -> m.extent.start.compareTo(address) >= 0)
        .findFirst()
        .orElse(null);
  }

  /** The free parts of the ranges. */
  List<Extent> free() {
    var free = new ArrayList<Extent>();
    int i = 0;
    for (var range : ranges) {
      var next = range.start;
      for (; i < mappings.size() && range.contains(mappings.get(i).extent); i++) {
        var taken = mappings.get(i).extent;
        if (next.compareTo(taken.start) < 0) {
          free.add(new Extent(next, taken.start.subtract(BigInteger.ONE)));
        }
        next = taken.last.add(BigInteger.ONE);
      }
      if (next.compareTo(range.last) <= 0) {
        free.add(new Extent(next, range.last));
      }
    }
    return free;
  }

  /** First fit, or zero. */
  BigInteger nextFree(
      BigInteger byteSize, BigInteger alignment, BigInteger lowest, BigInteger highest) {
    for (var gap : free()) {
      var from = gap.start.max(lowest).max(BigInteger.ONE);
      var aligned =
          from.add(alignment).subtract(BigInteger.ONE).divide(alignment).multiply(alignment);
      var last = aligned.add(byteSize).subtract(BigInteger.ONE);
      if (last.compareTo(gap.last) <= 0) {
        return last.compareTo(highest) <= 0 ? aligned : BigInteger.ZERO;
      }
    }
    return BigInteger.ZERO;
  }
}
