package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The memory of a command's data: runs of contiguous addresses, in the order of the data, and bit
 * buckets, where data is thrown away.
 *
 * <p>One object serves all commands in turn; neighbouring runs are merged, so that a transfer is a
 * few large copies.
 */
final class NvmeRuns {
  private static final int INITIAL_ROOM = 256;

  private long[] iovas = new long[INITIAL_ROOM];
  private long[] lengths = new long[INITIAL_ROOM];
  private boolean[] isBucket = new boolean[INITIAL_ROOM];
  private int count;

  void clear() {
    count = 0;
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
      iovas = Arrays.copyOf(iovas, 2 * count);
      lengths = Arrays.copyOf(lengths, 2 * count);
      isBucket = Arrays.copyOf(isBucket, 2 * count);
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
    long at = offset;
    for (int run = 0; run < count; run++) {
      if (!isBucket[run]) {
        dma.write(iovas[run], source, at, lengths[run]);
      }
      at += lengths[run];
    }
  }

  /** Reads all of it to the start of {@code target}. */
  void read(DmaPort dma, MemorySegment target) throws DmaFaultException {
    long at = 0;
    for (int run = 0; run < count; run++) {
      dma.read(iovas[run], target, at, lengths[run]);
      at += lengths[run];
    }
  }
}
