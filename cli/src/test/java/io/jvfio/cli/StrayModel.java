// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** An NVMe controller that, whenever a doorbell rings, also writes where it should not. */
final class StrayModel extends WrappedModel {
  private static final long DOORBELLS = 0x1000;
  private static final long NOT_MAPPED = 0x7fff_0000L;

  private @Nullable DmaPort dma;

  StrayModel() {
    super("stray", 1 << 20);
  }

  @Override
  public void connect(DmaPort port, InterruptPort interrupts) {
    dma = port;
    super.connect(port, interrupts);
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
    super.write(bar, offset, width, value);
  }
}
