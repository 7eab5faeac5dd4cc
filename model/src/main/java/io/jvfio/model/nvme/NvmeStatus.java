// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

/**
 * Status of a completed command: status code in bits 7:0, status code type in bits 10:8, Do Not
 * Retry in bit 14. Source: NVM Express Base Specification, "Status Field Definition".
 */
final class NvmeStatus {
  static final int SUCCESS = 0x000;
  static final int INVALID_OPCODE = 0x001;
  static final int INVALID_FIELD = 0x002;
  static final int DATA_TRANSFER_ERROR = 0x004;
  static final int INTERNAL_ERROR = 0x006;
  static final int ABORT_REQUESTED = 0x007;
  static final int ABORTED_BY_QUEUE_DELETION = 0x008;
  static final int INVALID_NAMESPACE = 0x00b;
  static final int COMMAND_SEQUENCE_ERROR = 0x00c;
  static final int INVALID_SGL_SEGMENT = 0x00d;
  static final int INVALID_SGL_COUNT = 0x00e;
  static final int INVALID_SGL_LENGTH = 0x00f;
  static final int INVALID_SGL_TYPE = 0x011;
  static final int INVALID_PRP_OFFSET = 0x013;
  static final int WRITE_PROTECTED = 0x020;
  static final int LBA_OUT_OF_RANGE = 0x080;
  static final int CAPACITY_EXCEEDED = 0x081;
  static final int INVALID_COMPLETION_QUEUE = 0x100;
  static final int INVALID_QUEUE_ID = 0x101;
  static final int INVALID_QUEUE_SIZE = 0x102;
  static final int ASYNC_EVENT_LIMIT_EXCEEDED = 0x105;
  static final int INVALID_INTERRUPT_VECTOR = 0x108;
  static final int INVALID_LOG_PAGE = 0x109;
  static final int INVALID_QUEUE_DELETION = 0x10c;
  static final int FEATURE_NOT_SAVEABLE = 0x10d;
  static final int COMMAND_SIZE_LIMIT_EXCEEDED = 0x183;
  static final int WRITE_FAULT = 0x280;
  static final int UNRECOVERED_READ_ERROR = 0x281;
  static final int COMPARE_FAILURE = 0x285;

  /** The command is held: it completes later, or never. */
  static final int NO_COMPLETION = -1;

  /** The command has begun: it completes later, and room has to be kept for that. */
  static final int PENDING = -3;

  /** The command never completes, and no more commands are to be fetched. */
  static final int STOP = -2;

  private static final int DO_NOT_RETRY = 0x4000;

  private NvmeStatus() {}

  /** The status as reported: whatever failed here fails again, unless memory was at fault. */
  static int reported(int status) {
    return switch (status) {
      case SUCCESS, DATA_TRANSFER_ERROR, ABORT_REQUESTED, ABORTED_BY_QUEUE_DELETION -> status;
      default -> status | DO_NOT_RETRY;
    };
  }
}
