// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.DmaLayout;
import io.jvfio.DmaWindow;
import io.jvfio.LiveMapping;
import io.jvfio.ReservedRange;
import io.jvfio.cli.output.Text;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Addresses that follow each other and of which the same can be said.
 *
 * @param start the first address
 * @param last the last address, compared as an unsigned number
 * @param kind what can be said
 * @param window the valid range that they are in; null outside of all
 * @param reserved what the platform keeps them for; null where nothing is known
 * @param mappings the live maps there: one, or several that are told as one, with the free
 *     addresses between them
 */
record Stretch(
    long start,
    long last,
    Kind kind,
    @Nullable DmaWindow window,
    @Nullable ReservedRange reserved,
    List<LiveMapping> mappings) {

  /** What can be said of addresses. */
  enum Kind {
    /** Valid, and nothing is mapped there. */
    FREE,
    /** Taken by live maps. */
    MAPPED,
    /** The platform keeps them. */
    RESERVED,
    /** The IOMMU does not translate them. */
    OUTSIDE
  }

  /** How many addresses there are, as near as a double comes. */
  double byteSize() {
    return Text.unsigned(last - start) + 1;
  }

  /** What the live maps take, in bytes. */
  long mappedBytes() {
    return mappings.stream().mapToLong(LiveMapping::byteSize).sum();
  }

  /** Whether it is free, and there is nothing else to say. */
  boolean isPlainlyFree() {
    return kind == Kind.FREE && reserved == null;
  }

  /** Whether {@code address} is one of them. */
  boolean contains(long address) {
    return Long.compareUnsigned(start, address) <= 0 && Long.compareUnsigned(address, last) <= 0;
  }

  /**
   * All 64-bit addresses, ascending and without a gap.
   *
   * @param mostMaps how many stretches of live maps a window may have; where there are more maps,
   *     those nearest to each other are told as one
   */
  static List<Stretch> of(DmaLayout layout, int mostMaps) {
    var taken = new ArrayList<List<LiveMapping>>();
    for (var window : layout.windows()) {
      taken.addAll(
          clusters(
              layout.mappings().stream().filter(map -> window.contains(map.iova(), 1)).toList(),
              mostMaps));
    }
    var starts = new TreeSet<Long>(Long::compareUnsigned);
    starts.add(0L);
    layout.windows().forEach(window -> cut(starts, window.start(), window.last()));
    layout.reserved().forEach(range -> cut(starts, range.start(), range.last()));
    taken.forEach(maps -> cut(starts, maps.getFirst().iova(), maps.getLast().last()));

    var stretches = new ArrayList<Stretch>();
    for (long start : starts) {
      var next = starts.higher(start);
      stretches.add(stretch(layout, taken, start, next == null ? -1 : next - 1));
    }
    return List.copyOf(stretches);
  }

  private static void cut(TreeSet<Long> starts, long start, long last) {
    starts.add(start);
    if (last != -1) {
      starts.add(last + 1);
    }
  }

  private static Stretch stretch(
      DmaLayout layout, List<List<LiveMapping>> taken, long start, long last) {
    var window =
        layout.windows().stream().filter(one -> one.contains(start, 1)).findFirst().orElse(null);
    var reserved =
        layout.reserved().stream()
            .filter(range -> range.overlaps(start, 1))
            .findFirst()
            .orElse(null);
    var mappings =
        taken.stream()
            .filter(
                maps ->
                    Long.compareUnsigned(maps.getFirst().iova(), start) <= 0
                        && Long.compareUnsigned(start, maps.getLast().last()) <= 0)
            .findFirst()
            .orElse(List.of());
    Kind kind;
    if (!mappings.isEmpty()) {
      kind = Kind.MAPPED;
    } else if (window != null) {
      kind = Kind.FREE;
    } else {
      kind = reserved == null ? Kind.OUTSIDE : Kind.RESERVED;
    }
    return new Stretch(start, last, kind, window, reserved, mappings);
  }

  /** Splits maps, which are ascending, where the gap is large compared to all that they span. */
  private static List<List<LiveMapping>> clusters(List<LiveMapping> maps, int most) {
    if (maps.size() <= most) {
      return maps.stream().map(List::of).toList();
    }
    double largeGap = Text.unsigned(maps.getLast().last() - maps.getFirst().iova()) / most;
    var clusters = new ArrayList<List<LiveMapping>>();
    int from = 0;
    for (int i = 1; i <= maps.size(); i++) {
      if (i == maps.size() || gapBefore(maps, i) > largeGap) {
        clusters.add(maps.subList(from, i));
        from = i;
      }
    }
    return clusters;
  }

  private static double gapBefore(List<LiveMapping> maps, int index) {
    return Text.unsigned(maps.get(index).iova() - maps.get(index - 1).last() - 1);
  }
}
