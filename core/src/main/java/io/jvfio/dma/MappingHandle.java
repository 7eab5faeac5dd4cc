// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import io.jvfio.DmaAccess;
import io.jvfio.DmaMapping;
import io.jvfio.dma.MappedSpace.Mapping;
import io.jvfio.kernel.Leaks;
import java.lang.foreign.MemorySegment;

/**
 * The user's handle of a mapping: it can be lost without being closed, which the mapping cannot.
 */
sealed class MappingHandle implements DmaMapping permits BufferHandle {
  final Mapping mapping;

  MappingHandle(Mapping mapping) {
    this.mapping = mapping;
    Leaks.watch(this, () -> mapping.isClosed() ? null : "DMA mapping " + mapping, mapping.place);
  }

  @Override
  public final MemorySegment segment() {
    return mapping.memory();
  }

  @Override
  public final long iova() {
    return mapping.openIova();
  }

  @Override
  public final DmaAccess access() {
    return mapping.access;
  }

  @Override
  public final boolean isMapped() {
    return mapping.reach != 0;
  }

  @Override
  public final void unmap() {
    mapping.unmap();
  }

  @Override
  public final void map() {
    mapping.map();
  }

  @Override
  public final void rebase(MemorySegment memory) {
    mapping.rebase(memory);
  }

  @Override
  public final void close() {
    mapping.close();
  }

  @Override
  public final String toString() {
    return "DMA mapping " + mapping;
  }
}
