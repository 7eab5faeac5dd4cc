// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static io.jvfio.model.RegisterMap.Access.READ_WRITE;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.IoEventRegister;
import io.jvfio.model.MigratableModel;
import io.jvfio.model.PciFunction;
import io.jvfio.model.PciModel;
import io.jvfio.model.RegisterMap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * A device that has everything that a client can get at: memory in any length and at any time,
 * interrupts of all kinds, registers behind eventfds, a state to be carried.
 */
final class VictimModel implements PciModel, MigratableModel {
  private static final int ROOM = 1 << 16;

  private final MemorySegment buffer = Arena.ofAuto().allocate(ROOM);
  private long due;

  private final RegisterMap registers =
      RegisterMap.builder("victim", 8192)
          .register("address", 0, 8, READ_WRITE, 0)
          .register("length", 8, 8, READ_WRITE, 64)
          .writeOnly("read memory", 16, 4, _ -> move(false))
          .writeOnly("write memory", 20, 4, _ -> move(true))
          .writeOnly("later", 24, 4, this::later)
          .writeOnly("raise", 28, 4, causes -> function().raise(causes))
          .writeOnly("acknowledge", 32, 4, causes -> function().acknowledge(causes))
          .writeOnly("signal", 36, 4, vector -> function().signal((int) vector & 7))
          .memory("memory", 4096, 4096)
          .build();

  private final PciFunction function =
      PciFunction.builder(0x1234, 0x0bad, 0xff0000)
          .memory(0, registers)
          .line()
          .msi(4)
          .msix(4, 8)
          .express()
          .build();

  @Override
  public PciFunction function() {
    return function;
  }

  @Override
  public List<IoEventRegister> ioEventRegisters() {
    return List.of(
        IoEventRegister.of(0, 16, 4),
        IoEventRegister.matching(0, 28, 4, 1),
        IoEventRegister.shadowed(0, 24, 4));
  }

  private void move(boolean write) {
    long iova = registers.value(0);
    long length = Math.clamp(registers.value(8), 0, ROOM);
    try {
      if (write) {
        function.dma().write(iova, buffer, 0, length);
      } else {
        function.dma().read(iova, buffer, 0, length);
      }
    } catch (DmaFaultException e) {
      function.raise(1L << 31);
    }
  }

  private void later(long what) {
    due = what;
    function.requestPoll();
  }

  @Override
  public boolean poll() {
    if (due == 0) {
      return false;
    }
    move((due & 1) != 0);
    function.signal((int) due & 3);
    due = due >>> 1 & 7;
    return true;
  }

  @Override
  public void reset() {
    due = 0;
    function.reset();
  }

  @Override
  public byte[] save() {
    return buffer.toArray(ValueLayout.JAVA_BYTE);
  }

  @Override
  public void restore(byte[] state) {
    if (state.length != ROOM) {
      throw new IllegalArgumentException("the state of another device");
    }
    MemorySegment.copy(state, 0, buffer, ValueLayout.JAVA_BYTE, 0, ROOM);
  }
}
