package io.jvfio.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A disk in memory, zeroed at first, that takes memory only for what was written. */
final class SparseMemory implements AutoCloseable {
  /** One reference per chunk is kept from the start: 4 MiB of them at this size. */
  static final long MAX_BYTES = 1L << 40;

  private static final int CHUNK_SHIFT = 20;
  private static final long CHUNK_SIZE = 1L << CHUNK_SHIFT;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment zeroes = arena.allocate(CHUNK_SIZE, Long.BYTES).asReadOnly();
  private final @Nullable MemorySegment[] chunks;
  private final long byteSize;

  SparseMemory(long byteSize) {
    this.byteSize = byteSize;
    chunks = new @Nullable MemorySegment[(int) ((byteSize + CHUNK_SIZE - 1) >> CHUNK_SHIFT)];
  }

  long byteSize() {
    return byteSize;
  }

  /** What is stored at {@code offset}: up to {@code length} bytes, fewer at the end of a chunk. */
  MemorySegment readable(long offset, long length) {
    var chunk = chunks[(int) (offset >> CHUNK_SHIFT)];
    return slice(chunk == null ? zeroes : chunk, offset, length);
  }

  /** Room at {@code offset}: up to {@code length} bytes, fewer at the end of a chunk. */
  MemorySegment writable(long offset, long length) {
    int index = (int) (offset >> CHUNK_SHIFT);
    var chunk = chunks[index];
    if (chunk == null) {
      chunk = arena.allocate(CHUNK_SIZE, Long.BYTES);
      chunks[index] = chunk;
    }
    return slice(chunk, offset, length);
  }

  /** Zeroes {@code length} bytes from {@code offset}, without taking memory. */
  void clear(long offset, long length) {
    long done = 0;
    while (done < length) {
      long at = offset + done;
      long step = Math.min(length - done, CHUNK_SIZE - (at & (CHUNK_SIZE - 1)));
      var chunk = chunks[(int) (at >> CHUNK_SHIFT)];
      if (chunk != null) {
        slice(chunk, at, step).fill((byte) 0);
      }
      done += step;
    }
  }

  private static MemorySegment slice(MemorySegment chunk, long offset, long length) {
    long within = offset & (CHUNK_SIZE - 1);
    return chunk.asSlice(within, Math.min(length, CHUNK_SIZE - within));
  }

  @Override
  public void close() {
    arena.close();
  }
}
