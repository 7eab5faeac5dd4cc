// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Doorbells in memory, which the controller looks at on its own: a register is written only where
 * it has asked to be woken. Source: NVM Express Base Specification, "Doorbell Buffer Config
 * command", "Updating Controller Doorbell Properties using a Shadow Doorbell Buffer".
 *
 * <p>Two pages: the doorbells as this host last set them, and the values that the controller wants
 * to be woken at. Both have the layout of the doorbell registers. Doorbells beyond the first page
 * are registers only.
 */
final class ShadowDoorbells {
  private static final VarHandle WORD = LE32.varHandle().withInvokeExactBehavior();

  static final long BYTES = 2L * PrpList.PAGE_SIZE;

  private final MemorySegment segment;
  private final long iova;
  private final ControllerRegisters registers;

  /** Doorbells in {@link #BYTES} of memory that the device has at {@code iova}. */
  ShadowDoorbells(MemorySegment segment, long iova, ControllerRegisters registers) {
    this.segment = segment;
    this.iova = iova;
    this.registers = registers;
  }

  long shadowIova() {
    return iova;
  }

  long eventIndexIova() {
    return iova + PrpList.PAGE_SIZE;
  }

  /** All doorbells are 0, as the registers are after a reset. */
  void clear() {
    segment.fill((byte) 0);
  }

  /** Whether a doorbell register has a shadow. */
  boolean covers(long registerOffset) {
    return registerOffset - ControllerRegisters.DOORBELLS + Integer.BYTES <= PrpList.PAGE_SIZE;
  }

  /** A doorbell with a shadow. */
  Doorbell doorbell(long registerOffset) {
    return new ShadowDoorbell(
        registers.doorbell(registerOffset),
        segment,
        registerOffset - ControllerRegisters.DOORBELLS);
  }

  private static final class ShadowDoorbell extends Doorbell {
    private final MemorySegment memory;
    private final long offset;
    private int last;

    ShadowDoorbell(Doorbell register, MemorySegment memory, long offset) {
      super(register);
      this.memory = memory;
      this.offset = offset;
    }

    @Override
    void ring(int value) {
      int old = last;
      last = value;
      WORD.setRelease(memory, offset, value);
      // The controller writes its index and then looks at the doorbell; we do it the other way
      // round. One of the two sees what the other wrote only if neither store waits.
      VarHandle.fullFence();
      int wakeAt = (int) WORD.getOpaque(memory, offset + PrpList.PAGE_SIZE);
      if (isPassed(wakeAt, value, old)) {
        super.ring(value);
      }
    }

    @Override
    void restart() {
      last = 0;
      memory.set(LE32, offset, 0);
      memory.set(LE32, offset + PrpList.PAGE_SIZE, 0);
    }
  }

  /** Whether the step from {@code old} to {@code value} goes past {@code wakeAt}, in 16 bits. */
  static boolean isPassed(int wakeAt, int value, int old) {
    return ((value - wakeAt - 1) & 0xffff) < ((value - old) & 0xffff);
  }
}
