package io.jvfio.sim;

import io.jvfio.linux.Errno;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory of the process that address spaces map. A page of it is pinned and counted once, however
 * many areas of however many address spaces have it, and only while a device could reach one of
 * them. Source: {@code drivers/iommu/iommufd/pages.c}.
 */
final class IoasPages {
  /** Where pinned pages count as locked memory. */
  enum Account {
    /** Nowhere: the process may lock what it likes. */
    NONE,
    /** With the user, over all processes. */
    USER,
    /** With the process. */
    PROCESS
  }

  /** More pages than there can be. */
  private static final long TOO_MANY = 1L << 50;

  private final Host host;
  private final long start;
  private final boolean writable;
  private final Account account;
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
   */
  IoasPages(Host host, long start, boolean writable, Account account) {
    this.host = host;
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
    long pageSize = host.description().pageSize();
    long missing = 0;
    for (var gap : unpinned(wanted)) {
      long size = gap.count() * pageSize;
      if (host.memory().pinnable(start + gap.first() * pageSize, size, writable) < size) {
        return Errno.EFAULT.result();
      }
      missing += gap.count();
    }
    if (!charge(missing * pageSize)) {
      return Errno.ENOMEM.result();
    }
    host.memory().pin(start + wanted.first() * pageSize, wanted.count() * pageSize);
    pinned.add(wanted);
    return 0;
  }

  /** Undoes {@link #pin} of the same range. */
  void unpin(long offset, long byteSize) {
    var wanted = span(offset, byteSize);
    long pageSize = host.description().pageSize();
    pinned.remove(wanted);
    long freed = 0;
    for (var gap : unpinned(wanted)) {
      freed += gap.count();
    }
    host.memory().unpin(start + wanted.first() * pageSize, wanted.count() * pageSize);
    uncharge(freed * pageSize);
  }

  /** Two areas take the place of one that was pinned. */
  void split(long offset, long byteSize, long firstSize) {
    long pageSize = host.description().pageSize();
    var whole = span(offset, byteSize);
    var left = span(offset, firstSize);
    var right = span(offset + firstSize, byteSize - firstSize);
    pinned.remove(whole);
    pinned.add(left);
    pinned.add(right);
    host.memory().pin(start + left.first() * pageSize, left.count() * pageSize);
    host.memory().pin(start + right.first() * pageSize, right.count() * pageSize);
    host.memory().unpin(start + whole.first() * pageSize, whole.count() * pageSize);
  }

  private Span span(long offset, long byteSize) {
    long pageSize = host.description().pageSize();
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
    boolean charged =
        switch (account) {
          case NONE -> true;
          case USER -> host.lockedByUser().charge(byteSize);
          case PROCESS -> host.locked().charge(byteSize);
        };
    if (charged) {
      host.pinnedByIommufd += byteSize;
    }
    return charged;
  }

  private void uncharge(long byteSize) {
    switch (account) {
      case NONE -> {}
      case USER -> host.lockedByUser().uncharge(byteSize);
      case PROCESS -> host.locked().uncharge(byteSize);
    }
    host.pinnedByIommufd -= byteSize;
  }
}
