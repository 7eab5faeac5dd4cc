// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.memory.LockedMemory;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Memory of the process that address spaces map. A page of it is pinned and counted once, however
 * many areas of however many address spaces have it, and only while a device could reach one of
 * them. Source: {@code drivers/iommu/iommufd/pages.c}.
 */
final class IoasPages {
  /** More pages than there can be. */
  private static final long TOO_MANY = 1L << 50;

  private final HostProcess process;
  private final long start;
  private final boolean writable;
  private final @Nullable LockedMemory account;
  private final List<Span> pinned = new ArrayList<>();

  /** Pages by their numbers, from the first to the last. */
  private record Span(long first, long last) {
    long count() {
      return last - first + 1;
    }
  }

  /**
   * Memory from {@code start} on, which is aligned to a page.
   *
   * @param writable whether devices may be let to write it
   * @param account where pinned pages count as locked memory; null if the process may lock what it
   *     likes
   */
  IoasPages(HostProcess process, long start, boolean writable, @Nullable LockedMemory account) {
    this.process = process;
    this.start = start;
    this.writable = writable;
    this.account = account;
  }

  long start() {
    return start;
  }

  boolean isWritable() {
    return writable;
  }

  /** Pins the pages of {@code byteSize} bytes from {@code offset} on: 0, or a negated errno. */
  int pin(long offset, long byteSize) {
    var wanted = span(offset, byteSize);
    if (Long.compareUnsigned(wanted.count(), TOO_MANY) > 0) {
      return Errno.EFAULT.result();
    }
    long pageSize = process.pageSize();
    long missing = 0;
    for (var gap : unpinned(wanted)) {
      long size = gap.count() * pageSize;
      if (process.memory().pinnable(start + gap.first() * pageSize, size, writable) < size) {
        return Errno.EFAULT.result();
      }
      missing += gap.count();
    }
    if (!charge(missing * pageSize)) {
      return Errno.ENOMEM.result();
    }
    process.memory().pin(start + wanted.first() * pageSize, wanted.count() * pageSize);
    pinned.add(wanted);
    return 0;
  }

  /** Undoes {@link #pin} of the same range. */
  void unpin(long offset, long byteSize) {
    var wanted = span(offset, byteSize);
    long pageSize = process.pageSize();
    pinned.remove(wanted);
    long freed = 0;
    for (var gap : unpinned(wanted)) {
      freed += gap.count();
    }
    process.memory().unpin(start + wanted.first() * pageSize, wanted.count() * pageSize);
    uncharge(freed * pageSize);
  }

  /** Two areas take the place of one that was pinned. */
  void split(long offset, long byteSize, long firstSize) {
    long pageSize = process.pageSize();
    var whole = span(offset, byteSize);
    var left = span(offset, firstSize);
    var right = span(offset + firstSize, byteSize - firstSize);
    pinned.remove(whole);
    pinned.add(left);
    pinned.add(right);
    process.memory().pin(start + left.first() * pageSize, left.count() * pageSize);
    process.memory().pin(start + right.first() * pageSize, right.count() * pageSize);
    process.memory().unpin(start + whole.first() * pageSize, whole.count() * pageSize);
  }

  private Span span(long offset, long byteSize) {
    long pageSize = process.pageSize();
    return new Span(
        Long.divideUnsigned(offset, pageSize),
        Long.divideUnsigned(offset + byteSize - 1, pageSize));
  }

  /** The parts of a span that are in no pinned one. */
  private List<Span> unpinned(Span wanted) {
    var gaps = new ArrayList<Span>();
    for (long at = wanted.first(); at <= wanted.last(); ) {
      long end = wanted.last() + 1;
      long skip = at;
      for (var span : pinned) {
        if (span.first() <= at && at <= span.last()) {
          skip = Math.max(skip, span.last() + 1);
        } else if (span.first() > at) {
          end = Math.min(end, span.first());
        }
      }
      if (skip > at) {
        at = skip;
      } else {
        gaps.add(new Span(at, end - 1));
        at = end;
      }
    }
    return gaps;
  }

  private boolean charge(long byteSize) {
    return (account == null || account.charge(byteSize)) && process.pinned().charge(byteSize);
  }

  private void uncharge(long byteSize) {
    if (account != null) {
      account.uncharge(byteSize);
    }
    process.pinned().uncharge(byteSize);
  }
}
