// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.DmaMapping;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Pieces of memory that one command transfers, in order. To be filled again and again: only its
 * construction allocates. The pieces are described to the controller when a command is put; the
 * memory behind them is in use until it completes.
 *
 * <p>A controller without SGLs takes pieces only where each but the first starts at a multiple of
 * 4096 of its device address, and each but the last ends at one. Not safe for use by several
 * threads at once.
 */
public final class NvmeScatter {
  private static final long PAGE_MASK = PrpList.PAGE_SIZE - 1;

  private final long[] iovas;
  private final long[] byteSizes;
  private int size;
  private long byteSize;
  private boolean isPaged = true;

  /**
   * Without pieces.
   *
   * @param capacity pieces that there can be, 1 to 256
   */
  public NvmeScatter(int capacity) {
    if (capacity < 1 || capacity > Sgl.MAX_PIECES) {
      throw new IllegalArgumentException(
          "%d pieces, not 1 to %d".formatted(capacity, Sgl.MAX_PIECES));
    }
    iovas = new long[capacity];
    byteSizes = new long[capacity];
  }

  /** Removes all pieces. */
  public NvmeScatter clear() {
    size = 0;
    byteSize = 0;
    isPaged = true;
    return this;
  }

  /**
   * Adds a piece behind the others.
   *
   * @param buffer memory of the controller's device
   * @param offset where in it, in bytes, a multiple of 4
   * @param length bytes, a multiple of 4, at least 4
   * @throws IndexOutOfBoundsException if they are not all in the buffer
   * @throws IllegalArgumentException if {@code offset} or {@code length} is misaligned
   * @throws IllegalStateException if it is full, or the buffer is closed
   */
  public NvmeScatter add(DmaMapping buffer, long offset, long length) {
    Objects.checkFromIndexSize(offset, length, buffer.byteSize());
    if (length == 0 || ((offset | length) & 3) != 0) {
      throw new IllegalArgumentException(
          "%d bytes at %d: not a multiple of 4, from 4".formatted(length, offset));
    }
    if (size == iovas.length) {
      throw new IllegalStateException("it has %d pieces already".formatted(size));
    }
    long iova = buffer.iova() + offset;
    if (size > 0) {
      long end = iovas[size - 1] + byteSizes[size - 1];
      isPaged &= ((iova | end) & PAGE_MASK) == 0;
    }
    iovas[size] = iova;
    byteSizes[size] = length;
    size++;
    byteSize += length;
    return this;
  }

  /** The number of pieces. */
  public int size() {
    return size;
  }

  /** Bytes of all pieces. */
  public long byteSize() {
    return byteSize;
  }

  /** Whether PRP entries can describe it. */
  boolean isPaged() {
    return isPaged;
  }

  long iova(int piece) {
    return iovas[piece];
  }

  long byteSize(int piece) {
    return byteSizes[piece];
  }

  @Override
  public String toString() {
    return IntStream.range(0, size)
        .mapToObj(i -> "0x%x..0x%x".formatted(iovas[i], iovas[i] + byteSizes[i] - 1))
        .collect(Collectors.joining(", ", "memory [", "]"));
  }
}
