// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

import io.jvfio.model.PciFunction;
import io.jvfio.model.PciModel;
import io.jvfio.model.RegisterMap;
import java.util.Arrays;

/**
 * A device with a slot for each of its MSI-X vectors. Software writes a number into a slot; the
 * device squares it when it has time, and signals the slot's vector.
 */
final class Mailbox implements PciModel {
  static final int SLOTS = 4;

  private final long[] values = new long[SLOTS];
  private int posted;

  private final PciFunction function =
      PciFunction.builder(0x1234, 0x5678, 0xff0000)
          .memory(
              0,
              RegisterMap.builder("mailbox", 4096)
                  .array("slot", 0, 8, SLOTS, 8, slot -> values[slot], this::post)
                  .build())
          .msix(1, SLOTS)
          .express()
          .build();

  @Override
  public PciFunction function() {
    return function;
  }

  private void post(int slot, long value) {
    values[slot] = value;
    posted |= 1 << slot;
    function.requestPoll();
  }

  @Override
  public boolean poll() {
    for (; posted != 0; posted &= posted - 1) {
      int slot = Integer.numberOfTrailingZeros(posted);
      values[slot] *= values[slot];
      function.signal(slot);
    }
    return false;
  }

  @Override
  public void reset() {
    function.reset();
    Arrays.fill(values, 0);
    posted = 0;
  }
}
