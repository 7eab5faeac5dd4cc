// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A disk in memory, zeroed at first, that takes memory only for what was written and gives it back
 * when that is cleared.
 */
final class SparseMemory implements Storage {
  /** Room for the references of 16 TiB is 64 KiB at first. */
  static final long MAX_BYTES = 1L << 44;

  /** Some milliseconds: each MiB that was written is memory of its own, to be given back. */
  private static final long LONGEST_CLEAR = 16 << 20;

  /** The end of a shared arena is told to every thread. */
  private static final long CLOSE_COST = 256 << 10;

  private static final int CHUNK_SHIFT = 20;
  private static final long CHUNK_SIZE = 1L << CHUNK_SHIFT;
  private static final long CHUNK_MASK = CHUNK_SIZE - 1;
  private static final int TABLE_SHIFT = 10;
  private static final int TABLE_SIZE = 1 << TABLE_SHIFT;
  private static final int PAGE_SHIFT = 12;
  private static final long PAGE_SIZE = 1L << PAGE_SHIFT;
  private static final int PAGES = 1 << (CHUNK_SHIFT - PAGE_SHIFT);

  private final Arena arena = Arena.ofShared();
  private final MemorySegment zeroes = arena.allocate(CHUNK_SIZE, Long.BYTES).asReadOnly();
  private final @Nullable Chunk[] @Nullable [] tables;
  private final long byteSize;
  private long pagesInUse;

  /** What making chunks, and giving them back, has cost in time, as bytes that are copied. */
  private long chunkCost;

  SparseMemory(long byteSize) {
    this.byteSize = byteSize;
    tables = new @Nullable Chunk[tableOf(byteSize - 1) + 1] @Nullable [];
  }

  /** Memory that can be given back on its own, and which of its pages were written. */
  private static final class Chunk {
    final Arena arena = Arena.ofShared();
    final MemorySegment memory = arena.allocate(CHUNK_SIZE, Long.BYTES);
    final long[] written = new long[PAGES / Long.SIZE];
    int pages;

    void mark(long within, long length) {
      int last = (int) ((within + length - 1) >> PAGE_SHIFT);
      for (int page = (int) (within >> PAGE_SHIFT); page <= last; page++) {
        long bit = 1L << page;
        if ((written[page / Long.SIZE] & bit) == 0) {
          written[page / Long.SIZE] |= bit;
          pages++;
        }
      }
    }

    /** The pages from {@code first} up to but not {@code end} are as if they were never written. */
    void unmark(int first, int end) {
      for (int page = first; page < end; page++) {
        long bit = 1L << page;
        if ((written[page / Long.SIZE] & bit) != 0) {
          written[page / Long.SIZE] &= ~bit;
          pages--;
        }
      }
    }
  }

  private static int tableOf(long offset) {
    return (int) (offset >>> (CHUNK_SHIFT + TABLE_SHIFT));
  }

  private static int entryOf(long offset) {
    return (int) (offset >>> CHUNK_SHIFT) & (TABLE_SIZE - 1);
  }

  private @Nullable Chunk find(long offset) {
    var table = tables[tableOf(offset)];
    return table == null ? null : table[entryOf(offset)];
  }

  private Chunk findOrMake(long offset) {
    var table = tables[tableOf(offset)];
    if (table == null) {
      table = new @Nullable Chunk[TABLE_SIZE];
      tables[tableOf(offset)] = table;
    }
    var chunk = table[entryOf(offset)];
    if (chunk == null) {
      chunk = new Chunk();
      chunkCost += CHUNK_SIZE; // it was zeroed
      table[entryOf(offset)] = chunk;
    }
    return chunk;
  }

  private void free(long offset, Chunk chunk) {
    var table = tables[tableOf(offset)];
    if (table != null) {
      table[entryOf(offset)] = null;
      chunkCost += CLOSE_COST;
      chunk.arena.close();
    }
  }

  /** How many of {@code length} bytes from {@code offset} on are in one chunk. */
  private static long step(long offset, long length) {
    return Math.min(length, CHUNK_SIZE - (offset & CHUNK_MASK));
  }

  private MemorySegment readable(long offset) {
    var chunk = find(offset);
    return chunk == null ? zeroes : chunk.memory;
  }

  private MemorySegment writable(long offset, long length) {
    var chunk = findOrMake(offset);
    int before = chunk.pages;
    chunk.mark(offset & CHUNK_MASK, length);
    pagesInUse += chunk.pages - before;
    return chunk.memory;
  }

  @Override
  public long byteSize() {
    return byteSize;
  }

  @Override
  public long allocatedBytes() {
    return Math.min(byteSize, pagesInUse << PAGE_SHIFT);
  }

  @Override
  public String describe() {
    return "memory";
  }

  @Override
  public long longestClear() {
    return LONGEST_CLEAR;
  }

  /** Carries it out at once: it takes no longer than a copy. */
  @Override
  public void submit(StorageRequest request) {
    StorageResult result = StorageResult.FAILED; // if this throws
    long before = chunkCost;
    try {
      switch (request.operation()) {
        case READ -> read(request);
        case WRITE -> write(request);
        case CLEAR, ZERO -> clear(request.offset(), request.byteSize());
        case SYNC -> {
          // Nothing stands between a write and the memory, which is as persistent as it gets.
        }
      }
      result = StorageResult.DONE;
    } catch (DmaFaultException _) {
      result = StorageResult.MEMORY_FAULT;
    } finally {
      request.countExtra(chunkCost - before);
      request.end(result);
    }
  }

  private void read(StorageRequest request) throws DmaFaultException {
    var dma = request.dma();
    var buffer = request.buffer();
    if (dma == null || buffer != null) {
      readNow(request.offset(), Objects.requireNonNull(buffer), request.byteSize());
      return;
    }
    var runs = request.runs();
    long at = request.offset();
    for (int run = 0; run < runs.count(); run++) {
      if (!runs.isBucket(run)) {
        toMemory(at, runs.length(run), dma, runs.iova(run));
      }
      at += runs.length(run);
    }
  }

  private void write(StorageRequest request) throws DmaFaultException {
    var dma = request.dma();
    var buffer = request.buffer();
    if (dma == null || buffer != null) {
      writeNow(request.offset(), Objects.requireNonNull(buffer), request.byteSize());
      return;
    }
    var runs = request.runs();
    long at = request.offset();
    for (int run = 0; run < runs.count(); run++) {
      fromMemory(at, runs.length(run), dma, runs.iova(run));
      at += runs.length(run);
    }
  }

  private void toMemory(long offset, long length, DmaPort dma, long iova) throws DmaFaultException {
    for (long done = 0; done < length; ) {
      long at = offset + done;
      long step = step(at, length - done);
      dma.write(iova + done, readable(at), at & CHUNK_MASK, step);
      done += step;
    }
  }

  private void fromMemory(long offset, long length, DmaPort dma, long iova)
      throws DmaFaultException {
    for (long done = 0; done < length; ) {
      long at = offset + done;
      long step = step(at, length - done);
      dma.read(iova + done, writable(at, step), at & CHUNK_MASK, step);
      done += step;
    }
  }

  @Override
  public void readNow(long offset, MemorySegment target, long length) {
    for (long done = 0; done < length; ) {
      long at = offset + done;
      long step = step(at, length - done);
      MemorySegment.copy(readable(at), at & CHUNK_MASK, target, done, step);
      done += step;
    }
  }

  @Override
  public void writeNow(long offset, MemorySegment source, long length) {
    for (long done = 0; done < length; ) {
      long at = offset + done;
      long step = step(at, length - done);
      MemorySegment.copy(source, done, writable(at, step), at & CHUNK_MASK, step);
      done += step;
    }
  }

  private void clear(long offset, long length) {
    for (long done = 0; done < length; ) {
      long at = offset + done;
      long step = step(at, length - done);
      var chunk = find(at);
      if (chunk != null) {
        clear(chunk, at, step);
      } else if (tables[tableOf(at)] == null) {
        // Nothing in all that this table would be for.
        step = Math.min(length - done, ((tableOf(at) + 1L) << (CHUNK_SHIFT + TABLE_SHIFT)) - at);
      }
      done += step;
    }
  }

  private void clear(Chunk chunk, long offset, long length) {
    long within = offset & CHUNK_MASK;
    int before = chunk.pages;
    chunk.unmark(
        (int) ((within + PAGE_SIZE - 1) >> PAGE_SHIFT), (int) ((within + length) >> PAGE_SHIFT));
    pagesInUse += chunk.pages - before;
    if (chunk.pages == 0) {
      free(offset, chunk);
    } else {
      chunk.memory.asSlice(within, length).fill((byte) 0);
    }
  }

  @Override
  public void close() {
    for (var table : tables) {
      if (table != null) {
        for (var chunk : table) {
          if (chunk != null) {
            chunk.arena.close();
          }
        }
      }
    }
    arena.close();
  }
}
