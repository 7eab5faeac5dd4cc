// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;

import io.jvfio.linux.Registers;
import java.lang.foreign.MemorySegment;

/**
 * A submission queue entry: one command. Source: NVM Express Base Specification, "Submission Queue
 * Entry".
 *
 * <p>Neighbouring dwords are written as one 64-bit word, the first of them in the low half, and
 * every word is written for each command: so nothing of the command that had the entry before is
 * left, and the entry is one full cache line.
 *
 * <pre>
 *       63              32 31              0
 *   0 |       NSID        |      CDW0       |
 *   8 |       CDW3        |      CDW2       |
 *  16 | MPTR (metadata pointer)             |
 *  24 | DPTR (data pointer: PRP entries 1   |
 *  32 |       and 2, or an SGL descriptor)  |
 *  40 |       CDW11       |      CDW10      |
 *  48 |       CDW13       |      CDW12      |
 *  56 |       CDW15       |      CDW14      |
 * </pre>
 */
final class SubmissionEntry {
  static final int SIZE = 64;

  /** Field PSDT of dword 0: the data pointer is an SGL; metadata is contiguous. */
  static final int SGL = 1 << 14;

  private static final long CDW0_NSID = 0;
  private static final long CDW2_CDW3 = 8;
  private static final long MPTR = 16;
  private static final long DPTR1 = 24;
  private static final long DPTR2 = 32;
  private static final long CDW10_CDW11 = 40;
  private static final long CDW12_CDW13 = 48;
  private static final long CDW14_CDW15 = 56;

  private SubmissionEntry() {}

  /** Two dwords as a word. */
  static long pair(int first, int second) {
    return Integer.toUnsignedLong(first) | ((long) second << Integer.SIZE);
  }

  /** {@link #write(MemorySegment, long, int, int, long, long, long, long, long)} to a device. */
  static void write(
      Registers queue,
      long entry,
      int cdw0,
      int namespaceId,
      long dptr1,
      long dptr2,
      long cdw10and11,
      long cdw12and13,
      long cdw14and15) {
    queue.write64(entry + CDW0_NSID, pair(cdw0, namespaceId));
    queue.write64(entry + CDW2_CDW3, 0);
    queue.write64(entry + MPTR, 0);
    queue.write64(entry + DPTR1, dptr1);
    queue.write64(entry + DPTR2, dptr2);
    queue.write64(entry + CDW10_CDW11, cdw10and11);
    queue.write64(entry + CDW12_CDW13, cdw12and13);
    queue.write64(entry + CDW14_CDW15, cdw14and15);
  }

  /**
   * Writes a command.
   *
   * @param cdw0 opcode (bits 7:0), flags (15:8) and command identifier (31:16)
   * @param dptr1 PRP entry 1, or the first half of an SGL descriptor
   * @param dptr2 PRP entry 2, or the second half of an SGL descriptor
   */
  static void write(
      MemorySegment queue,
      long entry,
      int cdw0,
      int namespaceId,
      long dptr1,
      long dptr2,
      long cdw10and11,
      long cdw12and13,
      long cdw14and15) {
    queue.set(LE64, entry + CDW0_NSID, pair(cdw0, namespaceId));
    queue.set(LE64, entry + CDW2_CDW3, 0);
    queue.set(LE64, entry + MPTR, 0);
    queue.set(LE64, entry + DPTR1, dptr1);
    queue.set(LE64, entry + DPTR2, dptr2);
    queue.set(LE64, entry + CDW10_CDW11, cdw10and11);
    queue.set(LE64, entry + CDW12_CDW13, cdw12and13);
    queue.set(LE64, entry + CDW14_CDW15, cdw14and15);
  }
}
