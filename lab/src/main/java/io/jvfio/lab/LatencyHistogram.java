package io.jvfio.lab;

/** Counts durations, each known to 1/32 of itself. Allocates nothing after it was made. */
final class LatencyHistogram {
  private static final int SUB_BITS = 5;
  private static final int SUBS = 1 << SUB_BITS;

  private final long[] counts = new long[(Long.SIZE - SUB_BITS) * SUBS];
  private long count;
  private long longest;

  /** Counts a duration. */
  void add(long nanos) {
    counts[index(nanos)]++;
    count++;
    longest = Math.max(longest, nanos);
  }

  /** How many there are. */
  long count() {
    return count;
  }

  /** The longest, in nanoseconds. */
  long longest() {
    return longest;
  }

  /** The duration that this share of all do not exceed, in nanoseconds; 0 when there are none. */
  long percentile(double percent) {
    long wanted = (long) Math.ceil(count * percent / 100);
    long seen = 0;
    for (int i = 0; i < counts.length; i++) {
      seen += counts[i];
      if (seen >= wanted && seen > 0) {
        return Math.min(highest(i), longest);
      }
    }
    return longest;
  }

  private static int index(long nanos) {
    if (nanos < SUBS) {
      return (int) Math.max(nanos, 0);
    }
    int shift = Long.SIZE - 1 - SUB_BITS - Long.numberOfLeadingZeros(nanos);
    return (shift << SUB_BITS) + (int) (nanos >>> shift);
  }

  /** The longest duration that is counted there. */
  private static long highest(int index) {
    if (index < 2 * SUBS) {
      return index;
    }
    int shift = (index >> SUB_BITS) - 1;
    return ((long) (index - (shift << SUB_BITS)) + 1 << shift) - 1;
  }
}
