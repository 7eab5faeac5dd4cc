package io.jvfio;

import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * Free IO virtual addresses within the valid ranges: first fit from the lowest address, so that
 * devices with few address bits are served. Addresses are unsigned. Address 0 is never handed out,
 * since many devices take it for "none".
 *
 * <p>Not safe for use by several threads at once.
 */
final class IovaAllocator {
  /**
   * Free ranges by first address; the value is the last address. No two of them touch, except
   * across windows.
   */
  private final TreeMap<Long, Long> free = new TreeMap<>(Long::compareUnsigned);

  /** Makes the addresses of {@code window} free. */
  void add(DmaWindow window) {
    long start = window.start() == 0 ? window.pageSize() : window.start();
    if (Long.compareUnsigned(start, window.last()) <= 0) {
      free.put(start, window.last());
    }
  }

  /**
   * Takes {@code byteSize} bytes at an address aligned to {@code alignment}, a power of two.
   *
   * @return the address, or empty when no free range has room
   */
  OptionalLong allocate(long byteSize, long alignment) {
    for (Map.Entry<Long, Long> range : free.entrySet()) {
      long start = range.getKey();
      long last = range.getValue();
      long aligned = start + (alignment - 1) & -alignment;
      boolean wraps = Long.compareUnsigned(aligned, start) < 0;
      if (!wraps
          && Long.compareUnsigned(aligned, last) <= 0
          && Long.compareUnsigned(byteSize - 1, last - aligned) <= 0) {
        take(start, last, aligned, byteSize);
        return OptionalLong.of(aligned);
      }
    }
    return OptionalLong.empty();
  }

  private void take(long start, long last, long taken, long byteSize) {
    free.remove(start);
    if (taken != start) {
      free.put(start, taken - 1);
    }
    long takenLast = taken + byteSize - 1;
    if (takenLast != last) {
      free.put(takenLast + 1, last);
    }
  }

  /** Gives back what {@link #allocate} returned for {@code byteSize}. */
  void free(long iova, long byteSize) {
    long start = iova;
    long last = iova + byteSize - 1;
    var below = free.lowerEntry(iova);
    if (below != null && below.getValue() + 1 == iova) {
      start = below.getKey();
    }
    if (last != -1) {
      var above = free.get(last + 1);
      if (above != null) {
        free.remove(last + 1);
        last = above;
      }
    }
    free.put(start, last);
  }
}
