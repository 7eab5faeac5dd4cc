// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import io.jvfio.linux.Errno;
import io.jvfio.sim.iommu.IovaRanges.Range;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;

/** The pages that a device has written, as its driver records them. */
final class DmaLog {
  private static final long SMALLEST_PAGE = 4 << 10;
  private static final long LARGEST_PAGE = 2 << 20;

  private final NavigableSet<Long> written = new TreeSet<>(Long::compareUnsigned);
  private List<Range> ranges = List.of();

  /** The bytes of a page while it runs, else 0. */
  private long pageSize;

  boolean isRunning() {
    return pageSize != 0;
  }

  long pageSize() {
    return pageSize;
  }

  /** Starts it with pages as near to the wanted size as there are: 0, or a negated errno. */
  int start(long wanted, List<Range> logged) {
    if (isRunning() || Long.bitCount(wanted) != 1) {
      return Errno.EINVAL.result();
    }
    pageSize = Math.clamp(wanted, SMALLEST_PAGE, LARGEST_PAGE);
    ranges = List.copyOf(logged);
    return 0;
  }

  /** Stops it, which always succeeds: returns 0. */
  int stop() {
    pageSize = 0;
    ranges = List.of();
    written.clear();
    return 0;
  }

  /** The device has written to these addresses. */
  void wrote(long iova, long byteSize) {
    if (!isRunning()) {
      return;
    }
    var touched = new Range(iova, iova + byteSize - 1);
    if (ranges.stream().anyMatch(touched::meets)) {
      long last = touched.last() & -pageSize;
      for (long page = iova & -pageSize; ; page += pageSize) {
        written.add(page);
        if (page == last) {
          break;
        }
      }
    }
  }

  /** Sets the bits of the pages in a range that were written, and forgets those pages. */
  void report(long iova, long length, long reportedPage, MemorySegment bitmap) {
    if (length == 0) {
      return;
    }
    long last = iova + length - 1;
    var found = written.subSet(iova & -pageSize, true, last, true);
    for (long page : found) {
      long from = Long.compareUnsigned(page, iova) < 0 ? iova : page;
      long end = page + pageSize - 1;
      long to = Long.compareUnsigned(end, last) > 0 ? last : end;
      for (long bit = (from - iova) / reportedPage; bit <= (to - iova) / reportedPage; bit++) {
        long word = bit / Long.SIZE;
        long bits = bitmap.getAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, word);
        bitmap.setAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, word, bits | 1L << bit);
      }
    }
    found.clear();
  }
}
