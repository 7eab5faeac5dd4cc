// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/**
 * A command of any kind, as it is on the wire but for identifier, namespace and data pointer.
 *
 * @param opcode 0 to 255
 * @param cdw10 command dword 10
 * @param cdw11 command dword 11
 * @param cdw12 command dword 12
 * @param cdw13 command dword 13
 * @param cdw14 command dword 14
 * @param cdw15 command dword 15
 */
public record NvmeCommand(
    int opcode, int cdw10, int cdw11, int cdw12, int cdw13, int cdw14, int cdw15) {

  private static final int MAX_OPCODE = 0xff;

  /** Checks the opcode. */
  public NvmeCommand {
    if (opcode < 0 || opcode > MAX_OPCODE) {
      throw new IllegalArgumentException("opcode %d, not 0 to 255".formatted(opcode));
    }
  }

  /** A command whose other dwords are 0. */
  public static NvmeCommand of(int opcode, int cdw10, int cdw11) {
    return new NvmeCommand(opcode, cdw10, cdw11, 0, 0, 0, 0);
  }

  long cdw10and11() {
    return SubmissionEntry.pair(cdw10, cdw11);
  }

  long cdw12and13() {
    return SubmissionEntry.pair(cdw12, cdw13);
  }

  long cdw14and15() {
    return SubmissionEntry.pair(cdw14, cdw15);
  }

  @Override
  public String toString() {
    return "opcode 0x%02x, dwords 10 to 15: %x %x %x %x %x %x"
        .formatted(opcode, cdw10, cdw11, cdw12, cdw13, cdw14, cdw15);
  }
}
