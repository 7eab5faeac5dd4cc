// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The memory that a command's scatter-gather list describes. Source: NVM Express Base
 * Specification, "Scatter Gather List (SGL)"; "Status Code – Generic Command Status Values" for
 * what each broken rule is called.
 *
 * <p>The descriptor in the command is a data block, a bit bucket, or tells where a segment of
 * descriptors is. Every segment but the last ends with a descriptor of the next. Together they have
 * to describe as many bytes as the command transfers, neither fewer nor more.
 */
final class NvmeSgl {
  static final int DESCRIPTOR_SIZE = 16;

  private static final int DATA_BLOCK = 0x00;
  private static final int BIT_BUCKET = 0x10;
  private static final int SEGMENT = 0x20;
  private static final int LAST_SEGMENT = 0x30;

  private static final int LENGTH_OFFSET = 8;
  private static final int TYPE_OFFSET = 15;
  private static final long QWORD_MASK = 7;
  private static final int BATCH = 256;

  /**
   * Bytes of the longest transfer that there may be a descriptor for: half of the smallest block. A
   * controller may limit their number; those of hosts follow pages.
   */
  private static final int BYTES_OF_A_DESCRIPTOR = 256;

  /** As many as there may be where transfers are short: the page that software has them in. */
  private static final int LEAST_DESCRIPTORS = 256;

  /** Each segment is fetched by itself: so many descriptors are in it, on average at least. */
  private static final int FEWEST_DESCRIPTORS = 8;

  /** As many as take a round, however long transfers are. */
  private static final int MOST_SEGMENTS = 1024;

  /** What it takes to fetch a segment, and to look at a descriptor, as bytes that are copied. */
  private static final long SEGMENT_COST = 2 << 10;

  private static final long DESCRIPTOR_COST = 256;

  private final DmaPort dma;
  private final MemorySegment segment;

  /** Descriptors can be empty, so that only their number bounds a list. */
  private final int mostDescriptors;

  private final int mostSegments;

  private long left;
  private boolean toHost;
  private long cost;

  /** The segment to go on with. */
  private long nextIova;

  private int nextSize;
  private int nextType;

  NvmeSgl(DmaPort dma, Arena arena, int maxTransfer) {
    this.dma = dma;
    mostDescriptors = Math.max(LEAST_DESCRIPTORS, maxTransfer / BYTES_OF_A_DESCRIPTOR);
    mostSegments = Math.min(mostDescriptors / FEWEST_DESCRIPTORS, MOST_SEGMENTS);
    segment = arena.allocate((long) BATCH * DESCRIPTOR_SIZE, Long.BYTES);
  }

  /**
   * Finds the memory for {@code length} bytes.
   *
   * @param intoHost whether the data goes to the host: only then a bit bucket stands for data
   * @return a status
   * @throws DmaFaultException if a segment cannot be read
   */
  int map(NvmeCommand command, long length, boolean intoHost, NvmeRuns runs)
      throws DmaFaultException {
    left = length;
    toHost = intoHost;
    int type = command.sglType();
    if (type != SEGMENT && type != LAST_SEGMENT) {
      return finish(take(command.sglAddress(), command.sglLength(), type, runs));
    }
    nextIova = command.sglAddress();
    nextSize = command.sglLength();
    nextType = type;
    int descriptors = 0;
    int segments = 0;
    while (true) {
      boolean isLast = nextType == LAST_SEGMENT;
      boolean isAligned = (nextIova & QWORD_MASK) == 0 && nextSize % DESCRIPTOR_SIZE == 0;
      if (nextSize == 0 || !isAligned) {
        return NvmeStatus.INVALID_SGL_SEGMENT;
      }
      int count = Integer.divideUnsigned(nextSize, DESCRIPTOR_SIZE);
      descriptors += count;
      segments++;
      if (descriptors > mostDescriptors || segments > mostSegments) {
        return NvmeStatus.INVALID_SGL_COUNT;
      }
      cost += SEGMENT_COST + count * DESCRIPTOR_COST;
      int status = takeSegment(nextIova, count, isLast, runs);
      if (isLast || status != NvmeStatus.SUCCESS) {
        return finish(status);
      }
    }
  }

  /** What lists have taken since this was last asked, as bytes that are copied. */
  long takeCost() {
    long taken = cost;
    cost = 0;
    return taken;
  }

  private int finish(int status) {
    return status == NvmeStatus.SUCCESS && left > 0 ? NvmeStatus.INVALID_SGL_LENGTH : status;
  }

  private int takeSegment(long iova, int count, boolean isLast, NvmeRuns runs)
      throws DmaFaultException {
    for (int done = 0; done < count; ) {
      int batch = Math.min(count - done, BATCH);
      dma.read(iova + (long) done * DESCRIPTOR_SIZE, segment, 0, (long) batch * DESCRIPTOR_SIZE);
      for (int i = 0; i < batch; i++, done++) {
        long at = (long) i * DESCRIPTOR_SIZE;
        int type = Byte.toUnsignedInt(segment.get(LE8, at + TYPE_OFFSET));
        int length = segment.get(LE32, at + LENGTH_OFFSET);
        if (type == SEGMENT || type == LAST_SEGMENT) {
          if (isLast) {
            return NvmeStatus.INVALID_SGL_SEGMENT;
          }
          if (done != count - 1) {
            return NvmeStatus.INVALID_SGL_COUNT;
          }
          nextIova = segment.get(LE64, at);
          nextSize = length;
          nextType = type;
          return NvmeStatus.SUCCESS;
        }
        int status = take(segment.get(LE64, at), length, type, runs);
        if (status != NvmeStatus.SUCCESS) {
          return status;
        }
      }
    }
    // Only the last segment may end without telling where the next one is.
    return isLast ? NvmeStatus.SUCCESS : NvmeStatus.INVALID_SGL_SEGMENT;
  }

  private int take(long iova, int length, int type, NvmeRuns runs) {
    if (type != DATA_BLOCK && type != BIT_BUCKET) {
      return NvmeStatus.INVALID_SGL_TYPE;
    }
    long size = Integer.toUnsignedLong(length);
    if (size == 0 || (type == BIT_BUCKET && !toHost)) {
      return NvmeStatus.SUCCESS;
    }
    if (size > left) {
      return NvmeStatus.INVALID_SGL_LENGTH;
    }
    left -= size;
    if (type == DATA_BLOCK) {
      runs.add(iova, size);
    } else {
      runs.addBucket(size);
    }
    return NvmeStatus.SUCCESS;
  }
}
