package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * A volatile write cache in front of a disk, for those who want to see what a loss of power does:
 * it remembers what every block held when it was last persisted.
 */
final class VolatileCache implements Storage {
  /** The smallest logical block: what is persisted is always whole ones. */
  private static final int BLOCK = 512;

  private final Storage disk;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment block = arena.allocate(BLOCK, Long.BYTES);
  private final Map<Long, byte[]> persisted = new HashMap<>();

  VolatileCache(Storage disk) {
    this.disk = disk;
  }

  private void remember(long offset, long length) throws IOException {
    for (long at = offset; at < offset + length; at += BLOCK) {
      if (!persisted.containsKey(at)) {
        disk.read(at, block, BLOCK);
        byte[] bytes = new byte[BLOCK];
        MemorySegment.copy(block, 0, MemorySegment.ofArray(bytes), 0, BLOCK);
        persisted.put(at, bytes);
      }
    }
  }

  /** Everything is as it was when it was last persisted. */
  void losePower() {
    try {
      for (var entry : persisted.entrySet()) {
        block.copyFrom(MemorySegment.ofArray(entry.getValue()));
        disk.write(entry.getKey(), block, BLOCK);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    persisted.clear();
  }

  @Override
  public long byteSize() {
    return disk.byteSize();
  }

  @Override
  public long allocatedBytes() {
    return disk.allocatedBytes();
  }

  @Override
  public void toMemory(long offset, long length, DmaPort dma, long iova)
      throws DmaFaultException, IOException {
    disk.toMemory(offset, length, dma, iova);
  }

  @Override
  public void fromMemory(long offset, long length, DmaPort dma, long iova)
      throws DmaFaultException, IOException {
    // A run of memory may begin or end within a block.
    long first = offset & -BLOCK;
    remember(first, offset + length - first);
    disk.fromMemory(offset, length, dma, iova);
  }

  @Override
  public void read(long offset, MemorySegment target, long length) throws IOException {
    disk.read(offset, target, length);
  }

  @Override
  public void write(long offset, MemorySegment source, long length) throws IOException {
    remember(offset, length);
    disk.write(offset, source, length);
  }

  @Override
  public void clear(long offset, long length) throws IOException {
    remember(offset, length);
    disk.clear(offset, length);
  }

  @Override
  public void persist(long offset, long length) throws IOException {
    disk.persist(offset, length);
    if (length == disk.byteSize()) {
      persisted.clear();
      return;
    }
    for (long at = offset; at < offset + length; at += BLOCK) {
      persisted.remove(at);
    }
  }

  @Override
  public void close() {
    disk.close();
    arena.close();
  }
}
