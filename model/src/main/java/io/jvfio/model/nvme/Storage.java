package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * What keeps the bytes of a namespace. All ranges are inside of it: callers check.
 *
 * <p>What was written may be lost with power until it is persisted.
 */
interface Storage extends AutoCloseable {
  long byteSize();

  /** Bytes that take room; the rest reads as zeroes and takes none. */
  long allocatedBytes();

  /**
   * Writes what is stored to memory at {@code iova}.
   *
   * @throws DmaFaultException if the memory cannot be reached
   * @throws IOException if it cannot be read
   */
  void toMemory(long offset, long length, DmaPort dma, long iova)
      throws DmaFaultException, IOException;

  /**
   * Stores what is in memory at {@code iova}.
   *
   * @throws DmaFaultException if the memory cannot be reached; some of it may be stored then
   * @throws IOException if it cannot be written
   */
  void fromMemory(long offset, long length, DmaPort dma, long iova)
      throws DmaFaultException, IOException;

  /** Copies what is stored to the start of {@code target}. */
  void read(long offset, MemorySegment target, long length) throws IOException;

  /** Stores the start of {@code source}. */
  void write(long offset, MemorySegment source, long length) throws IOException;

  /** Makes a range read as zeroes, and gives back the room that it took where that can be done. */
  void clear(long offset, long length) throws IOException;

  /** Makes sure that a range survives a loss of power. */
  void persist(long offset, long length) throws IOException;

  @Override
  void close();
}
