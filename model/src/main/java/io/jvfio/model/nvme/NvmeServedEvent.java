// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

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
 * A command of an I/O queue that a controller has carried out, from when it was fetched until its
 * completion was posted: with the time that its disk took, and others before it. A command that
 * took less than the threshold of the recording is not told, and none that could not begin.
 *
 * <p>To time a command reads the clock twice, so nobody gets these events who records something
 * else. There is one for each {@link NvmeTask}, which serves one command after the other.
 */
@Name("jvfio.NvmeServedCommand")
@Label("Served NVMe Command")
@Description("A controller has carried out a command, from its fetch until its completion")
@Category({"jvfio", "NVMe"})
@Enabled(false)
@Threshold("1 ms")
@StackTrace(false)
final class NvmeServedEvent extends Event {
  private static final NvmeServedEvent PROBE = new NvmeServedEvent();

  @Label("Controller")
  @Description("Its serial number")
  @Nullable String controller;

  @Label("Queue")
  int queue;

  @Label("Command")
  @Nullable String command;

  @Label("Namespace")
  @Unsigned
  int namespace;

  @Label("First Block")
  @Description("0 for a command that is for no range of blocks")
  long lba;

  @Label("Blocks")
  @Description("0 for a command that is for no range of blocks")
  int blocks;

  @Label("Status")
  @Description("Status code type and status code, as 0x281; 0x000 is success")
  @Nullable String status;

  /** Whether anybody records such events. Where nobody ever did, the compiler knows that. */
  static boolean isOn() {
    return PROBE.isEnabled();
  }

  /** The completion of the command was posted. */
  void ended(String serial, NvmeCommand done, int withStatus) {
    end();
    if (shouldCommit()) {
      controller = serial;
      queue = done.queueId();
      command = label(done.opcode());
      namespace = done.namespaceId();
      boolean isForBlocks = isForBlocks(done.opcode());
      lba = isForBlocks ? NvmeIo.firstBlock(done) : 0;
      blocks = isForBlocks ? (int) NvmeIo.blockCount(done) : 0;
      status = "0x%03x".formatted(withStatus);
      commit();
    }
  }

  private static boolean isForBlocks(int opcode) {
    return switch (opcode) {
      case NvmeIo.READ, NvmeIo.WRITE, NvmeIo.COMPARE, NvmeIo.WRITE_ZEROES, NvmeIo.VERIFY -> true;
      default -> false;
    };
  }

  /** The name in the specification. */
  private static String label(int opcode) {
    return switch (opcode) {
      case NvmeIo.FLUSH -> "Flush";
      case NvmeIo.WRITE -> "Write";
      case NvmeIo.READ -> "Read";
      case NvmeIo.COMPARE -> "Compare";
      case NvmeIo.WRITE_ZEROES -> "Write Zeroes";
      case NvmeIo.DATASET_MANAGEMENT -> "Dataset Management";
      case NvmeIo.VERIFY -> "Verify";
      case NvmeIo.COPY -> "Copy";
      default -> "opcode 0x%02x".formatted(opcode);
    };
  }
}
