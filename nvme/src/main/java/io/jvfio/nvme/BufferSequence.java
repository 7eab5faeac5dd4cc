// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** The byte buffers of one call, as one run of bytes. */
final class BufferSequence {
  private final ByteBuffer[] buffers;
  private final int[] starts;
  private int current;

  /** The remaining bytes of {@code length} buffers from {@code offset}. */
  BufferSequence(ByteBuffer[] buffers, int offset, int length) {
    this.buffers = Arrays.copyOfRange(buffers, offset, offset + length);
    starts = Arrays.stream(this.buffers).mapToInt(ByteBuffer::position).toArray();
  }

  /** Bytes not yet transferred. */
  long remaining() {
    return Arrays.stream(buffers).mapToLong(ByteBuffer::remaining).sum();
  }

  /**
   * Whether data can be put into every buffer.
   *
   * @throws IllegalArgumentException if not
   */
  void requireWritable() {
    if (Arrays.stream(buffers).anyMatch(ByteBuffer::isReadOnly)) {
      throw new IllegalArgumentException("Read-only buffer");
    }
  }

  /** Fills the next bytes of the buffers from {@code source}. */
  void put(MemorySegment source) {
    long done = 0;
    while (done < source.byteSize()) {
      long step = step(source.byteSize() - done);
      MemorySegment.copy(source, done, MemorySegment.ofBuffer(buffers[current]), 0, step);
      done += advance(step);
    }
  }

  /** Takes the next bytes of the buffers into {@code target}. */
  void get(MemorySegment target) {
    long done = 0;
    while (done < target.byteSize()) {
      long step = step(target.byteSize() - done);
      MemorySegment.copy(MemorySegment.ofBuffer(buffers[current]), 0, target, done, step);
      done += advance(step);
    }
  }

  private long step(long wanted) {
    while (!buffers[current].hasRemaining()) {
      current++;
    }
    return Math.min(wanted, buffers[current].remaining());
  }

  private long advance(long step) {
    buffers[current].position(buffers[current].position() + (int) step);
    return step;
  }

  /** Puts the positions back: nothing was transferred. */
  void rewind() {
    for (int i = 0; i < buffers.length; i++) {
      buffers[i].position(starts[i]);
    }
    current = 0;
  }
}
