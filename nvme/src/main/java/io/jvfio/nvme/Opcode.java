// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.util.EnumSet;
import java.util.Set;

/**
 * The commands that this driver sends. Source: NVM Express Base Specification, "Opcodes for Admin
 * Commands"; NVM Command Set Specification, "Opcodes for NVM Commands".
 */
enum Opcode {
  DELETE_SUBMISSION_QUEUE("Delete I/O Submission Queue", 0x00),
  CREATE_SUBMISSION_QUEUE("Create I/O Submission Queue", 0x01),
  DELETE_COMPLETION_QUEUE("Delete I/O Completion Queue", 0x04),
  CREATE_COMPLETION_QUEUE("Create I/O Completion Queue", 0x05),
  GET_LOG_PAGE("Get Log Page", 0x02),
  IDENTIFY("Identify", 0x06),
  ABORT("Abort", 0x08),
  SET_FEATURES("Set Features", 0x09),
  GET_FEATURES("Get Features", 0x0a),
  ASYNC_EVENT_REQUEST("Asynchronous Event Request", 0x0c),
  DOORBELL_BUFFER_CONFIG("Doorbell Buffer Config", 0x7c),
  FORMAT_NVM("Format NVM", 0x80),
  FLUSH("Flush", 0x00),
  WRITE("Write", 0x01),
  READ("Read", 0x02),
  COMPARE("Compare", 0x05),
  WRITE_ZEROES("Write Zeroes", 0x08),
  DATASET_MANAGEMENT("Dataset Management", 0x09),
  VERIFY("Verify", 0x0c),
  COPY("Copy", 0x19);

  private static final Set<Opcode> ADMIN = EnumSet.range(DELETE_SUBMISSION_QUEUE, FORMAT_NVM);
  private static final Set<Opcode> IO = EnumSet.range(FLUSH, COPY);

  /**
   * Dwords 10 and 11 have the first block, the low half of dword 12 the number of blocks less 1.
   */
  private static final Set<Opcode> FOR_BLOCKS =
      EnumSet.of(WRITE, READ, COMPARE, WRITE_ZEROES, VERIFY);

  private final String label;
  private final int code;

  Opcode(String label, int code) {
    this.label = label;
    this.code = code;
  }

  /** The command's name in the specification. */
  String label() {
    return label;
  }

  /** The name of the command with an opcode of the admin queue or of the others. */
  static String label(boolean isAdmin, int code) {
    return (isAdmin ? ADMIN : IO)
        .stream()
            .filter(opcode -> opcode.code == code)
            .findFirst()
            .map(Opcode::label)
            .orElseGet(() -> "opcode 0x%02x".formatted(code));
  }

  /** Whether an I/O command is for one range of blocks. */
  static boolean isForBlocks(int code) {
    return FOR_BLOCKS.stream().anyMatch(opcode -> opcode.code == code);
  }

  /** The opcode on the wire. */
  int code() {
    return code;
  }
}
