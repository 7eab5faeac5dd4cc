// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Which pages a device has written. Pages are kept by address, not by map: a client may ask after
 * it has unmapped them.
 *
 * <p>May be used from any thread: a device that writes on a thread of its own goes on while the
 * client asks.
 */
final class DirtyLog {
  private static final long SMALLEST_PAGE = 4 << 10;
  private static final long LARGEST_PAGE = 2 << 20;

  /** Pages are kept in chunks of so many, as a power of two. */
  private static final int CHUNK_SHIFT = 12;

  private static final int CHUNK_WORDS = (1 << CHUNK_SHIFT) / Long.SIZE;

  /** What is kept of a hostile client's memory at most: 1 TiB of 4 KiB pages, in 34 MB. */
  private static final int MOST_CHUNKS = 1 << 16;

  private static final int INITIAL_CAPACITY = 16;

  /** The size of a page as a power of two, or 0 while nothing is logged. */
  private volatile int pageShift;

  /** The addresses of chunks, in units of chunks and ascending. */
  private long[] chunks = {};

  private long[][] bits = {};
  private int count;

  /** There were more chunks than are kept: every page counts as written until the log ends. */
  private boolean overflown;

  /** Whether writes are to be told. */
  boolean isRunning() {
    return pageShift != 0;
  }

  /**
   * Starts to log all writes.
   *
   * @param wanted the size of pages that the client would like
   * @return the size that there is, or a negated errno: EINVAL if it is no power of two, or the log
   *     runs already
   */
  synchronized long start(long wanted) {
    if (isRunning() || Long.bitCount(wanted) != 1) {
      return Errno.EINVAL.result();
    }
    // Compared as unsigned, since 2^63 is a power of two as well.
    long pageSize = wanted < 0 ? LARGEST_PAGE : Math.clamp(wanted, SMALLEST_PAGE, LARGEST_PAGE);
    chunks = new long[INITIAL_CAPACITY];
    bits = new long[INITIAL_CAPACITY][];
    pageShift = Long.numberOfTrailingZeros(pageSize);
    return pageSize;
  }

  /** Ends the log and forgets what was in it. */
  synchronized void stop() {
    pageShift = 0;
    chunks = new long[0];
    bits = new long[0][];
    count = 0;
    overflown = false;
  }

  /**
   * The device has written {@code byteSize} bytes, 1 or more, none of them past the last address.
   */
  synchronized void wrote(long iova, long byteSize) {
    int shift = pageShift;
    if (shift == 0 || overflown) {
      return;
    }
    long last = (iova + byteSize - 1) >>> shift;
    for (long page = iova >>> shift; page <= last && !overflown; ) {
      long chunk = page >>> CHUNK_SHIFT;
      int from = (int) page & ((1 << CHUNK_SHIFT) - 1);
      int to = (int) Math.min(last - (chunk << CHUNK_SHIFT), (1 << CHUNK_SHIFT) - 1);
      set(chunk, from, to);
      page += to - from + 1;
    }
  }

  private void set(long chunk, int from, int to) {
    int index = Arrays.binarySearch(chunks, 0, count, chunk);
    if (index < 0) {
      index = -index - 1;
      if (!insert(index, chunk)) {
        return;
      }
    }
    long[] words = bits[index];
    for (int page = from; page <= to; page++) {
      words[page / Long.SIZE] |= 1L << page;
    }
  }

  private boolean insert(int index, long chunk) {
    if (count == MOST_CHUNKS) {
      overflown = true;
      count = 0;
      chunks = new long[0];
      bits = new long[0][];
      return false;
    }
    if (count == chunks.length) {
      chunks = Arrays.copyOf(chunks, count * 2);
      bits = Arrays.copyOf(bits, count * 2);
    }
    System.arraycopy(chunks, index, chunks, index + 1, count - index);
    System.arraycopy(bits, index, bits, index + 1, count - index);
    chunks[index] = chunk;
    bits[index] = new long[CHUNK_WORDS];
    count++;
    return true;
  }

  /**
   * The size of a bitmap in bytes, a multiple of 8: one bit for each page.
   *
   * @param pageSize a power of two
   */
  static long bitmapSize(long length, long pageSize) {
    int shift = Long.numberOfTrailingZeros(pageSize);
    long pages = length == 0 ? 0 : ((length - 1) >>> shift) + 1;
    return ((pages + Long.SIZE - 1) >>> 6) * Long.BYTES;
  }

  /**
   * Writes a bitmap of the pages from {@code iova} on and forgets those that were written. A page
   * of the log that lies in the range only in part is not forgotten.
   *
   * @param pageSize what a bit stands for, which need not be a page of the log
   * @param bitmap where to put the bits, from {@code offset} on
   * @return 0, or a negated errno: EINVAL if nothing is logged or the page size is no power of two
   *     or too small, EOVERFLOW for a range beyond the last address, E2BIG if the bitmap has no
   *     room
   */
  synchronized int report(
      long iova, long length, long pageSize, MemorySegment bitmap, long offset) {
    if (!isRunning()
        || Long.bitCount(pageSize) != 1
        || (pageSize > 0 && pageSize < SMALLEST_PAGE)) {
      return Errno.EINVAL.result();
    }
    long last = iova + length - 1;
    if (length != 0 && Long.compareUnsigned(last, iova) < 0) {
      return Errno.EOVERFLOW.result();
    }
    long byteSize = bitmapSize(length, pageSize);
    if (byteSize > bitmap.byteSize() - offset) {
      return Errno.E2BIG.result();
    }
    bitmap.asSlice(offset, byteSize).fill((byte) 0);
    if (length == 0) {
      return 0;
    }
    int reported = Long.numberOfTrailingZeros(pageSize);
    if (overflown) {
      mark(bitmap, offset, 0, (length - 1) >>> reported);
      return 0;
    }
    int index = Arrays.binarySearch(chunks, 0, count, iova >>> pageShift >>> CHUNK_SHIFT);
    long lastChunk = last >>> pageShift >>> CHUNK_SHIFT;
    for (int i = index < 0 ? -index - 1 : index; i < count && chunks[i] <= lastChunk; i++) {
      report(chunks[i] << CHUNK_SHIFT, bits[i], iova, last, reported, bitmap, offset);
    }
    return 0;
  }

  private void report(
      long firstPage,
      long[] words,
      long iova,
      long last,
      int reported,
      MemorySegment bitmap,
      long offset) {
    for (int word = 0; word < words.length; word++) {
      for (long left = words[word]; left != 0; left &= left - 1) {
        int bit = Long.numberOfTrailingZeros(left);
        long page = (firstPage + (long) word * Long.SIZE + bit) << pageShift;
        long end = page + (1L << pageShift) - 1;
        if (Long.compareUnsigned(end, iova) < 0 || Long.compareUnsigned(page, last) > 0) {
          continue;
        }
        boolean beginsBefore = Long.compareUnsigned(page, iova) < 0;
        boolean endsBehind = Long.compareUnsigned(end, last) > 0;
        mark(
            bitmap,
            offset,
            ((beginsBefore ? iova : page) - iova) >>> reported,
            ((endsBehind ? last : end) - iova) >>> reported);
        if (!beginsBefore && !endsBehind) {
          words[word] &= ~(1L << bit);
        }
      }
    }
  }

  private static void mark(MemorySegment bitmap, long offset, long from, long to) {
    for (long bit = from; bit <= to; ) {
      long at = offset + (bit >>> 6) * Long.BYTES;
      long wordEnd = bit | (Long.SIZE - 1);
      long upTo = Math.min(to, wordEnd);
      long mask = -1L >>> (Long.SIZE - 1 - (upTo - bit)) << bit;
      bitmap.set(
          ValueLayout.JAVA_LONG_UNALIGNED,
          at,
          bitmap.get(ValueLayout.JAVA_LONG_UNALIGNED, at) | mask);
      bit = upTo + 1;
    }
  }
}
