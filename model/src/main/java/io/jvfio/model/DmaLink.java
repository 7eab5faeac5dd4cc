package io.jvfio.model;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The way to the host's memory, once there is a host. */
final class DmaLink implements DmaPort {
  private @Nullable DmaPort port;

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
    port(iova).read(iova, target);
  }

  @Override
  public void write(long iova, MemorySegment source) throws DmaFaultException {
    port(iova).write(iova, source);
  }
}
