// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;
import jdk.jfr.Unsigned;
import org.jspecify.annotations.Nullable;

/**
 * A command, from before it was put into its queue until its completion was taken: with the time
 * that the driver's user lets pass before the doorbell and before the look for completions. A
 * command that took less than the threshold of the recording is not told.
 *
 * <p>To time a command takes longer than to send it, so nobody gets these events who records
 * something else. There is one for each slot of a queue, which serves one command after the other.
 */
@Name("jvfio.NvmeCommand")
@Label("NVMe Command")
@Description("A command has ended, from being put into the queue until its completion was taken")
@Category({"jvfio", "NVMe"})
@Enabled(false)
@Threshold("1 ms")
@StackTrace(false)
final class NvmeCommandEvent extends Event {
  private static final NvmeCommandEvent PROBE = new NvmeCommandEvent();

  /** Dword 12 of commands for blocks has their number less 1 in its low half. */
  private static final long BLOCKS_MASK = 0xffff;

  @Label("Device")
  @Nullable String device;

  @Label("Queue")
  @Description("0 is the admin queue")
  int queue;

  @Label("Command")
  @Nullable String command;

  @Label("Namespace")
  @Description("0 for a command that is for none")
  @Unsigned
  int namespace;

  @Label("First Block")
  @Description("0 for a command that is for no range of blocks")
  long lba;

  @Label("Blocks")
  @Description("0 for a command that is for no range of blocks")
  int blocks;

  @Label("Status")
  @Nullable String status;

  private transient int opcode;
  private transient long cdw10and11;
  private transient long cdw12and13;

  /** Whether the slot's present command is timed. */
  private transient boolean isRunning;

  /** Whether anybody records such events. Where nobody ever did, the compiler knows that. */
  static boolean isOn() {
    return PROBE.isEnabled();
  }

  /** A command is about to be put: its time begins. */
  void started(int code, int namespaceId, long fields10and11, long fields12and13) {
    opcode = code;
    namespace = namespaceId;
    cdw10and11 = fields10and11;
    cdw12and13 = fields12and13;
    isRunning = true;
    begin();
  }

  /** The completion of the command was taken. */
  void ended(String ofDevice, int ofQueue, int withStatus) {
    if (!isRunning) {
      return;
    }
    isRunning = false;
    end();
    if (shouldCommit()) {
      device = ofDevice;
      queue = ofQueue;
      command = Opcode.label(queue == 0, opcode);
      boolean isForBlocks = queue != 0 && Opcode.isForBlocks(opcode);
      lba = isForBlocks ? cdw10and11 : 0;
      blocks = isForBlocks ? (int) (cdw12and13 & BLOCKS_MASK) + 1 : 0;
      status = NvmeStatusException.name(withStatus);
      commit();
    }
  }
}
