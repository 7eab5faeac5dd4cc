// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** An NVMe controller that does something to what it writes to the host in whole blocks. */
final class LyingModel extends WrappedModel {
  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int BLOCK = 512;

  private final Lie lie;

  /** What is done to data that the host reads, and to the identify pages. */
  @FunctionalInterface
  interface Lie {
    /** Sees, and may change, a copy of what the host is to get. */
    void tell(MemorySegment data) throws DmaFaultException;
  }

  LyingModel(long byteSize, Lie lie) {
    super("liar", byteSize);
    this.lie = lie;
  }

  /** Flips bits of one block. */
  static Lie flipping(long address) {
    return data -> {
      for (long at = 0; at < data.byteSize(); at += BLOCK) {
        if (data.get(WORD, at) == address) {
          data.set(WORD, at + 100, ~data.get(WORD, at + 100));
        }
      }
    };
  }

  /** Fails to reach the host with single blocks. */
  static Lie failing() {
    return data -> {
      if (data.byteSize() == BLOCK) {
        throw new DmaFaultException(0, "as the test wants it");
      }
    };
  }

  @Override
  public void connect(DmaPort port, InterruptPort interrupts) {
    super.connect(
        new DmaPort() {
          @Override
          public void read(long iova, MemorySegment target) throws DmaFaultException {
            port.read(iova, target);
          }

          @Override
          public void write(long iova, MemorySegment source) throws DmaFaultException {
            var data = source;
            if (source.byteSize() % BLOCK == 0) {
              data = MemorySegment.ofArray(source.toArray(ValueLayout.JAVA_BYTE));
              lie.tell(data);
            }
            port.write(iova, data);
          }
        },
        interrupts);
  }
}
