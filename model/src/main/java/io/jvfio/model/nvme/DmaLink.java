// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaLease;
import io.jvfio.model.DmaPort;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The controller's way to memory: to its own, if it has some and the address is there, else to the
 * host's, once there is a host.
 */
final class DmaLink implements DmaPort {
  private final @Nullable NvmeMemoryBuffer buffer;
  private @Nullable DmaPort port;

  DmaLink(@Nullable NvmeMemoryBuffer buffer) {
    this.buffer = buffer;
  }

  void connect(DmaPort dma) {
    port = dma;
  }

  private DmaPort port(long iova) throws DmaFaultException {
    if (port == null) {
      throw new DmaFaultException(iova, "the device is not connected to a host");
    }
    return port;
  }

  @Override
  public void read(long iova, MemorySegment target) throws DmaFaultException {
    read(iova, target, 0, target.byteSize());
  }

  @Override
  public void write(long iova, MemorySegment source) throws DmaFaultException {
    write(iova, source, 0, source.byteSize());
  }

  @Override
  public @Nullable DmaLease lease(long iova, long byteSize, boolean isWritten)
      throws DmaFaultException {
    return buffer != null && buffer.holds(iova)
        ? null
        : port(iova).lease(iova, byteSize, isWritten);
  }

  @Override
  public void read(long iova, MemorySegment target, long offset, long length)
      throws DmaFaultException {
    if (buffer != null && buffer.holds(iova)) {
      buffer.read(iova, target, offset, length);
    } else {
      port(iova).read(iova, target, offset, length);
    }
  }

  @Override
  public void write(long iova, MemorySegment source, long offset, long length)
      throws DmaFaultException {
    if (buffer != null && buffer.holds(iova)) {
      buffer.write(iova, source, offset, length);
    } else {
      port(iova).write(iova, source, offset, length);
    }
  }
}
