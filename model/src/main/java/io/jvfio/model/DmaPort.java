// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The way of a device to memory: by IO virtual address, through whatever translates it. */
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

  /**
   * Reads memory at {@code iova} into a part of {@code target}. A port that can do so without an
   * object for the part should say how: a device does this for every command.
   *
   * @param offset where the part begins, in bytes
   * @param length of the part, in bytes
   * @throws DmaFaultException as {@link #read(long, MemorySegment)}
   */
  default void read(long iova, MemorySegment target, long offset, long length)
      throws DmaFaultException {
    read(iova, target.asSlice(offset, length));
  }

  /**
   * Writes a part of {@code source} to memory at {@code iova}; parameters as for {@link #read(long,
   * MemorySegment, long, long)}.
   *
   * @throws DmaFaultException as {@link #write(long, MemorySegment)}
   */
  default void write(long iova, MemorySegment source, long offset, long length)
      throws DmaFaultException {
    write(iova, source.asSlice(offset, length));
  }

  /**
   * Lends memory to a device that has others move its data, so that nobody has to copy it.
   *
   * @param iova where it begins
   * @param byteSize of it, at least 1
   * @param isWritten whether it is to be written; read otherwise
   * @return null if this port can only copy, there or anywhere
   * @throws DmaFaultException as {@link #read(long, MemorySegment)} or {@link #write(long,
   *     MemorySegment)}
   */
  default @Nullable DmaLease lease(long iova, long byteSize, boolean isWritten)
      throws DmaFaultException {
    return null;
  }
}
