// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaBuffer;
import io.jvfio.DmaSpace;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Pieces of device memory of one size, through which the data of a channel goes. They are parts of
 * one mapping. Safe for use by several threads.
 */
final class BounceBuffers {
  static final int NONE = -1;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final DmaBuffer buffer;
  private final int count;
  private final int byteSize;
  private final BitSet free = new BitSet();
  private boolean isClosed;

  /**
   * Allocates the pieces.
   *
   * @throws io.jvfio.VfioException if there is no memory, or it cannot be mapped
   */
  BounceBuffers(DmaSpace dmaSpace, int count, int byteSize) {
    this.count = count;
    this.byteSize = byteSize;
    free.set(0, count);
    buffer = dmaSpace.allocate((long) count * byteSize);
  }

  /** Bytes of one piece. */
  int byteSize() {
    return byteSize;
  }

  /** The memory that all pieces are in. */
  DmaBuffer buffer() {
    return buffer;
  }

  /** Where in {@link #buffer()} a piece starts. */
  long offset(int piece) {
    return (long) piece * byteSize;
  }

  /** A piece as this process sees it. */
  MemorySegment segment(int piece) {
    return buffer.segment().asSlice(offset(piece), byteSize);
  }

  /** Takes a piece, and waits for one; {@link #NONE} when closed. */
  int take() {
    lock.lock();
    try {
      while (!isClosed && free.isEmpty()) {
        changed.awaitUninterruptibly();
      }
      return tryTake();
    } finally {
      lock.unlock();
    }
  }

  /** Takes a piece, or {@link #NONE} if none is free now. */
  int tryTake() {
    lock.lock();
    try {
      if (isClosed || free.isEmpty()) {
        return NONE;
      }
      int piece = free.nextSetBit(0);
      free.clear(piece);
      return piece;
    } finally {
      lock.unlock();
    }
  }

  /** Gives a piece back; the device must not use it any more. */
  void give(int piece) {
    lock.lock();
    try {
      free.set(piece);
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Frees all pieces at once: nobody uses those that are taken, and nobody takes any. */
  void closeUnused() {
    lock.lock();
    try {
      free.set(0, count);
    } finally {
      lock.unlock();
    }
    close();
  }

  /** Hands out no more pieces, waits for those that are taken, and frees all. Idempotent. */
  void close() {
    lock.lock();
    try {
      isClosed = true;
      changed.signalAll();
      while (free.cardinality() < count) {
        changed.awaitUninterruptibly();
      }
    } finally {
      lock.unlock();
    }
    buffer.close();
  }
}
