// SPDX-License-Identifier: Apache-2.0
package io.jvfio.testkit;

import static io.jvfio.model.RegisterMap.Access.READ_WRITE;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.MigratableModel;
import io.jvfio.model.PciFunction;
import io.jvfio.model.PciModel;
import io.jvfio.model.RegisterMap;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A device for tests: a value and an address of 8 bytes each, and a register of which a write
 * stores the value at the address. It can be migrated.
 */
public final class LatchModel implements PciModel, MigratableModel {
  public static final long VALUE = 0;
  public static final long IOVA = 8;
  public static final long STORE = 16;

  public final List<String> calls = new ArrayList<>();
  public int padding;

  /** Whether somebody still moves data for it, and does not end. */
  public boolean isStuck;

  private final RegisterMap registers =
      RegisterMap.builder("latch", 4096)
          .register("value", VALUE, 8, READ_WRITE, 0)
          .register("address", IOVA, 8, READ_WRITE, 0)
          .writeOnly("store", STORE, 8, _ -> store())
          .build();

  private final PciFunction function =
      PciFunction.builder(0x1234, 0x1a7c, 0xff0000).memory(0, registers).line().build();

  /** Makes one with zeroes in it. */
  public LatchModel() {}

  @Override
  public PciFunction function() {
    return function;
  }

  private void store() {
    var value = MemorySegment.ofArray(new long[] {registers.value(VALUE)});
    try {
      function.dma().write(registers.value(IOVA), value);
    } catch (DmaFaultException e) {
      calls.add("fault");
    }
  }

  @Override
  public void quiesce() {
    calls.add("quiesce");
  }

  @Override
  public boolean awaitTransfers(long nanos) {
    return !isStuck;
  }

  @Override
  public void resume() {
    calls.add("resume");
  }

  @Override
  public void reset() {
    calls.add("reset");
    function.reset();
  }

  @Override
  public byte[] save() {
    calls.add("save");
    return ByteBuffer.allocate(16 + padding)
        .putLong(registers.value(VALUE))
        .putLong(registers.value(IOVA))
        .array();
  }

  @Override
  public void restore(byte[] state) {
    calls.add("restore");
    var from = ByteBuffer.wrap(state);
    registers.value(VALUE, from.getLong());
    registers.value(IOVA, from.getLong());
  }
}
