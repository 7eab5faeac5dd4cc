// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.edu;

import static io.jvfio.model.RegisterMap.Access.READ_ONLY;
import static io.jvfio.model.RegisterMap.Access.READ_WRITE;
import static io.jvfio.model.RegisterMap.Unmapped.ONES;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.PciFunction;
import io.jvfio.model.PciModel;
import io.jvfio.model.RegisterMap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * QEMU's educational device: it computes factorials, interrupts when it is told to, and copies
 * between memory and a buffer of its own. Source: QEMU's documentation, "EDU device".
 *
 * <p>What takes time is done when the host polls the device, so software has to wait for it. A copy
 * that leaves the buffer, or whose memory cannot be reached, ends like any other and moves nothing:
 * the device has no way to tell.
 */
public final class EduModel implements PciModel {
  /** The number of bits of a memory address that the device has, unless it is made with others. */
  public static final int DMA_BITS = 28;

  private static final int COMPUTING = 0x01;
  private static final int COMPUTED_INTERRUPTS = 0x80;
  private static final int COMPUTED = 0x001;
  private static final int SOURCE = 0x80;
  private static final int TARGET = 0x88;
  private static final int COUNT = 0x90;
  private static final int BUFFER = 0x40000;
  private static final int COPYING = 0x1;
  private static final int TO_MEMORY = 0x2;
  private static final int COPIED_INTERRUPTS = 0x4;
  private static final int COPIED = 0x100;

  private final MemorySegment buffer = Arena.ofAuto().allocate(4096);
  private final long dmaMask;
  private long liveness;
  private long factorial;
  private long status;
  private long command;

  private final RegisterMap registers =
      RegisterMap.builder("EDU", 1 << 20)
          .unmapped(ONES)
          .accessWidths(4, 4)
          .register("identification", 0x00, 4, READ_ONLY, 0x010000edL)
          .readWrite("liveness", 0x04, 4, () -> liveness, value -> liveness = ~value)
          .readWrite("factorial", 0x08, 4, () -> factorial, this::compute)
          .readWrite("status", 0x20, 4, () -> status, this::setStatus)
          .readOnly("interrupt status", 0x24, 4, () -> function().causes())
          .writeOnly("interrupt raise", 0x60, 4, causes -> function().raise(causes))
          .writeOnly("interrupt acknowledge", 0x64, 4, causes -> function().acknowledge(causes))
          .accessWidths(4, 8)
          .register("DMA source", SOURCE, 8, READ_WRITE, 0)
          .register("DMA target", TARGET, 8, READ_WRITE, 0)
          .register("DMA count", COUNT, 8, READ_WRITE, 0)
          .readWrite("DMA command", 0x98, 8, () -> command, this::startCopy)
          .build();

  private final PciFunction function =
      PciFunction.builder(0x1234, 0x11e8, 0x00ff00)
          .revision(0x10)
          .subsystem(0x1af4, 0x1100)
          .memory(0, registers)
          .line()
          .msi(1)
          .build();

  /** A device whose memory addresses have {@link #DMA_BITS} bits. */
  public EduModel() {
    this(DMA_BITS);
  }

  /** A device whose memory addresses have 1 to 64 bits; it does without the others. */
  public EduModel(int dmaBits) {
    if (dmaBits < 1 || dmaBits > Long.SIZE) {
      throw new IllegalArgumentException("addresses have 1 to 64 bits, not " + dmaBits);
    }
    dmaMask = -1L >>> (Long.SIZE - dmaBits);
  }

  @Override
  public PciFunction function() {
    return function;
  }

  private void compute(long value) {
    if ((status & COMPUTING) == 0) {
      factorial = value;
      status |= COMPUTING;
      function.requestPoll();
    }
  }

  private void setStatus(long value) {
    status = (status & COMPUTING) | (value & COMPUTED_INTERRUPTS);
  }

  private void startCopy(long value) {
    if ((command & COPYING) == 0 && (value & COPYING) != 0) {
      command = value;
      function.requestPoll();
    }
  }

  @Override
  public boolean poll() {
    if ((status & COMPUTING) != 0) {
      int product = 1;
      for (int i = 2; i <= Math.min(factorial, 34); i++) { // of all beyond, 32 bits are 0
        product *= i;
      }
      factorial = product;
      status &= ~COMPUTING;
      function.raise((status & COMPUTED_INTERRUPTS) != 0 ? COMPUTED : 0);
    }
    if ((command & COPYING) != 0) {
      copy();
      command &= ~COPYING;
      function.raise((command & COPIED_INTERRUPTS) != 0 ? COPIED : 0);
    }
    return false;
  }

  private void copy() {
    boolean toMemory = (command & TO_MEMORY) != 0;
    long place = registers.value(toMemory ? SOURCE : TARGET) - BUFFER;
    long iova = registers.value(toMemory ? TARGET : SOURCE) & dmaMask;
    long count = registers.value(COUNT);
    if ((place | count) < 0 || count > buffer.byteSize() || place > buffer.byteSize() - count) {
      return;
    }
    try {
      if (toMemory) {
        function.dma().write(iova, buffer, place, count);
      } else {
        function.dma().read(iova, buffer, place, count);
      }
    } catch (DmaFaultException _) {
      // Software finds that nothing was moved.
    }
  }

  @Override
  public void reset() {
    liveness = factorial = status = command = 0;
    buffer.fill((byte) 0);
    function.reset();
  }

  @Override
  public String toString() {
    return "EDU model";
  }
}
