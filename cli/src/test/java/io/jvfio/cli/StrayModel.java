package io.jvfio.cli;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.model.NvmeModel;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** An NVMe controller that, whenever a doorbell rings, also writes where it should not. */
final class StrayModel implements DeviceModel {
  private static final long DOORBELLS = 0x1000;
  private static final long NOT_MAPPED = 0x7fff_0000L;

  private final NvmeModel nvme = NvmeModel.inMemory("stray", 1 << 20);
  private @Nullable DmaPort dma;

  @Override
  public ConfigSpace config() {
    return nvme.config();
  }

  @Override
  public List<Bar> bars() {
    return nvme.bars();
  }

  @Override
  public int msixVectors() {
    return nvme.msixVectors();
  }

  @Override
  public void connect(DmaPort port, InterruptPort interrupts) {
    dma = port;
    nvme.connect(port, interrupts);
  }

  @Override
  public long read(int bar, long offset, int width) {
    return nvme.read(bar, offset, width);
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    if (dma != null && offset >= DOORBELLS) {
      try {
        dma.write(NOT_MAPPED, MemorySegment.ofArray(new byte[4]));
        throw new AssertionError("the IOMMU let it through");
      } catch (DmaFaultException e) {
        // as it should be: the host has recorded it
      }
    }
    nvme.write(bar, offset, width, value);
  }

  @Override
  public void reset() {
    nvme.reset();
  }

  @Override
  public void close() {
    nvme.close();
  }
}
