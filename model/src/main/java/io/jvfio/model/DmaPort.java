package io.jvfio.model;

import java.lang.foreign.MemorySegment;

/** How a device reaches memory: by IO virtual address, through whatever translates it. */
public interface DmaPort {
  /**
   * Reads memory at {@code iova} into {@code target}.
   *
   * @throws DmaFaultException if any part of it is not mapped for reading, or the device is no bus
   *     master
   */
  void read(long iova, MemorySegment target) throws DmaFaultException;

  /**
   * Writes {@code source} to memory at {@code iova}.
   *
   * @throws DmaFaultException if any part of it is not mapped for writing, or the device is no bus
   *     master
   */
  void write(long iova, MemorySegment source) throws DmaFaultException;
}
