// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.jfr.Jfr;
import java.util.Arrays;

/**
 * The events of the commands in flight of one queue, which are timed. All are allocated at once,
 * with the first command that is, and none after that. Not safe for use by several threads at once.
 */
final class CommandEvents {
  private final String device;
  private final int queue;
  private final NvmeCommandEvent[] bySlot;

  CommandEvents(String device, int queue, int slots) {
    this.device = device;
    this.queue = queue;
    bySlot = new NvmeCommandEvent[slots];
    Arrays.setAll(bySlot, i -> new NvmeCommandEvent());
  }

  /** Whether commands are to be timed. Where nobody ever recorded them, the compiler knows that. */
  static boolean areOn() {
    return Jfr.EXISTS && NvmeCommandEvent.isOn();
  }

  /** A command is about to be put. */
  void started(int slot, int opcode, int namespaceId, long cdw10and11, long cdw12and13) {
    bySlot[slot].started(opcode, namespaceId, cdw10and11, cdw12and13);
  }

  /** A command has ended, which may have been put before commands were timed. */
  void ended(int slot, int status) {
    bySlot[slot].ended(device, queue, status);
  }
}
