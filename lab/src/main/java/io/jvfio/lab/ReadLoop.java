// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.DmaMapping;
import io.jvfio.nvme.NvmeCompletionHandler;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeQueue;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/** Random reads by one queue pair, polled: in Java what {@code nvmeperf.c} does in C. */
final class ReadLoop implements NvmeCompletionHandler {
  /** The largest read. */
  static final int LARGEST = 4096;

  private final NvmeQueue queue;
  private final NvmeNamespace namespace;
  private final DmaMapping buffer;
  private long random = 88172645463325252L;
  private long toStart;
  private int blocks;
  private int area;
  private long putAt;
  private @Nullable Histogram latencies;

  /** Reads into a buffer with room for as many of the largest reads as are to be in flight. */
  ReadLoop(NvmeQueue queue, NvmeNamespace namespace, DmaMapping buffer) {
    this.queue = queue;
    this.namespace = namespace;
    this.buffer = buffer;
  }

  /** How many nanoseconds so many reads took; blocks of 512 bytes, of the first 2^area. */
  long read(long count, int depth, int blocksOfEach, int areaOfAll) {
    long begin = System.nanoTime();
    toStart = count;
    blocks = blocksOfEach;
    area = areaOfAll;
    for (int place = 0; place < depth && toStart > 0; place++) {
      put(place);
    }
    queue.ring();
    long ended = 0;
    while (ended < count) {
      int completed = queue.poll(this);
      if (completed > 0) {
        ended += completed;
        queue.ring();
      }
    }
    return System.nanoTime() - begin;
  }

  /** Reads one at a time for so long, and counts how long each takes. */
  void read(long nanos, int blocksOfEach, int areaOfAll, Histogram histogram) {
    latencies = histogram;
    long begin = System.nanoTime();
    while (System.nanoTime() - begin < nanos) {
      read(1_000, 1, blocksOfEach, areaOfAll);
    }
    latencies = null;
  }

  private void put(long place) {
    random ^= random << 13;
    random ^= random >>> 7;
    random ^= random << 17;
    long lba = random >>> (Long.SIZE - area) & -blocks;
    if (latencies != null) {
      putAt = System.nanoTime();
    }
    if (!queue.read(namespace, lba, blocks, buffer, place * LARGEST, place)) {
      throw new IllegalStateException("the queue is full");
    }
    toStart--;
  }

  @Override
  public void completed(long token, int status, int result) {
    if (latencies != null) {
      latencies.recordValue(System.nanoTime() - putAt);
    }
    if (status != 0) {
      throw queue.failure(status, "Read");
    }
    if (toStart > 0) {
      put(token);
    }
  }
}
