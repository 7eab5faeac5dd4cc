// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The memory of a command's data: runs of contiguous addresses, in the order of the data, and bit
 * buckets, where data is thrown away.
 *
 * <p>One object serves one command after the other; neighbouring runs are merged, so that a
 * transfer is a few large copies.
 */
final class NvmeRuns {
  private static final int INITIAL_ROOM = 8;

  /** Room for so many is kept for the next command: what PRPs of the default MDTS need at most. */
  private static final int KEPT_ROOM = 256;

  private long[] iovas = new long[INITIAL_ROOM];
  private long[] lengths = new long[INITIAL_ROOM];
  private boolean[] isBucket = new boolean[INITIAL_ROOM];
  private int count;

  void clear() {
    count = 0;
    if (iovas.length > KEPT_ROOM) {
      makeRoom(INITIAL_ROOM);
    }
  }

  /** Has room for so many, with what is there; all or nothing, should there be no memory. */
  private void makeRoom(int room) {
    long[] moreIovas = Arrays.copyOf(iovas, room);
    long[] moreLengths = Arrays.copyOf(lengths, room);
    boolean[] moreBuckets = Arrays.copyOf(isBucket, room);
    iovas = moreIovas;
    lengths = moreLengths;
    isBucket = moreBuckets;
  }

  void add(long iova, long length) {
    int last = count - 1;
    if (count > 0 && !isBucket[last] && iovas[last] + lengths[last] == iova) {
      lengths[last] += length;
    } else {
      append(iova, length, false);
    }
  }

  /** Throws {@code length} bytes away. */
  void addBucket(long length) {
    append(0, length, true);
  }

  private void append(long iova, long length, boolean bucket) {
    if (count == iovas.length) {
      makeRoom(2 * count);
    }
    iovas[count] = iova;
    lengths[count] = length;
    isBucket[count] = bucket;
    count++;
  }

  int count() {
    return count;
  }

  long iova(int run) {
    return iovas[run];
  }

  long length(int run) {
    return lengths[run];
  }

  boolean isBucket(int run) {
    return isBucket[run];
  }

  /** Writes {@code source}, from {@code offset} on, as much as there is memory for. */
  void write(DmaPort dma, MemorySegment source, long offset) throws DmaFaultException {
    write(dma, 0, source, offset, byteSize());
  }

  /** Reads all of it to the start of {@code target}. */
  void read(DmaPort dma, MemorySegment target) throws DmaFaultException {
    read(dma, 0, target, 0, byteSize());
  }

  /** All of it. */
  long byteSize() {
    long size = 0;
    for (int run = 0; run < count; run++) {
      size += lengths[run];
    }
    return size;
  }

  /**
   * Reads a part of the data into {@code target}.
   *
   * @param position where in the data the part begins
   */
  void read(DmaPort dma, long position, MemorySegment target, long offset, long length)
      throws DmaFaultException {
    long begin = 0;
    for (int run = 0; run < count && begin < position + length; run++) {
      long from = Math.max(begin, position);
      long to = Math.min(begin + lengths[run], position + length);
      if (from < to) {
        dma.read(iovas[run] + (from - begin), target, offset + (from - position), to - from);
      }
      begin += lengths[run];
    }
  }

  /** Writes a part of the data from {@code source}; as {@link #read}. */
  void write(DmaPort dma, long position, MemorySegment source, long offset, long length)
      throws DmaFaultException {
    long begin = 0;
    for (int run = 0; run < count && begin < position + length; run++) {
      long from = Math.max(begin, position);
      long to = Math.min(begin + lengths[run], position + length);
      if (from < to && !isBucket[run]) {
        dma.write(iovas[run] + (from - begin), source, offset + (from - position), to - from);
      }
      begin += lengths[run];
    }
  }

  /** Whether each run has a whole number of units of {@code unit} bytes, at a multiple of them. */
  boolean isAligned(long unit) {
    long mask = unit - 1;
    for (int run = 0; run < count; run++) {
      if (((iovas[run] | lengths[run]) & mask) != 0) {
        return false;
      }
    }
    return true;
  }

  /** Whether some of the data is thrown away. */
  boolean hasBuckets() {
    for (int run = 0; run < count; run++) {
      if (isBucket[run]) {
        return true;
      }
    }
    return false;
  }
}
