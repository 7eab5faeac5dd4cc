// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import io.jvfio.DmaBuffer;
import io.jvfio.dma.MappedSpace.Buffer;
import java.util.Optional;
import java.util.OptionalInt;

/** The user's handle of a buffer. */
final class BufferHandle extends MappingHandle implements DmaBuffer {
  private final DmaMemory own;

  BufferHandle(Buffer buffer) {
    this.own = buffer.own;
    super(buffer);
  }

  @Override
  public long pageSize() {
    return own.pageSize();
  }

  @Override
  public Optional<String> fallback() {
    return own.fallback();
  }

  @Override
  public OptionalInt fileDescriptor() {
    return mapping.isClosed() ? OptionalInt.empty() : own.fd();
  }
}
