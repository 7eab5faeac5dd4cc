// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Lends native memory for the vectors of calls that have many of them, so that not every call keeps
 * as much as one of many once needed.
 */
final class FileVectors {
  /** What {@code struct iovec} takes. */
  static final long VECTOR_SIZE = 2L * Long.BYTES;

  /** Every call has memory of its own for so many. */
  static final int FIRST = 16;

  private final Arena arena;

  /** What is not lent; each list has pieces of twice the size of those in the one before. */
  private final List<ArrayDeque<MemorySegment>> free = new ArrayList<>();

  FileVectors(Arena arena) {
    this.arena = arena;
    for (int count = FIRST; count <= FileCall.MOST_VECTORS; count *= 2) {
      free.add(new ArrayDeque<>());
    }
  }

  /** Memory of a call's own, for good. */
  MemorySegment first() {
    return allocate(FIRST * VECTOR_SIZE);
  }

  private MemorySegment allocate(long byteSize) {
    return arena.allocate(byteSize, ValueLayout.JAVA_LONG.byteAlignment());
  }

  private ArrayDeque<MemorySegment> freeOf(long byteSize) {
    return free.get(Long.numberOfTrailingZeros(byteSize / (FIRST * VECTOR_SIZE)));
  }

  /** Lends twice as much memory as {@code present}, which is copied and, if it was lent, back. */
  MemorySegment larger(MemorySegment present) {
    long byteSize = 2 * present.byteSize();
    var larger = freeOf(byteSize).poll();
    if (larger == null) {
      larger = allocate(byteSize);
    }
    larger.copyFrom(present);
    giveBack(present);
    return larger;
  }

  /** Takes back what was lent; a call's own memory stays with it. */
  void giveBack(MemorySegment vectors) {
    if (vectors.byteSize() > FIRST * VECTOR_SIZE) {
      freeOf(vectors.byteSize()).push(vectors);
    }
  }
}
