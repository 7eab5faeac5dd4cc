package io.jvfio.nvme;

import static io.jvfio.nvme.LittleEndian.LE64;

import io.jvfio.linux.Registers;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/**
 * A submission queue entry: one command. Source: NVM Express Base Specification, "Submission Queue
 * Entry".
 *
 * <p>Neighbouring dwords are written as one 64-bit word, the first of them in the low half, and
 * every word is written for each command: so nothing of the command that had the entry before is
 * left, and the entry is one full cache line.
 */
final class SubmissionEntry {
  static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              LE64.withName("cdw0_nsid"),
              LE64.withName("cdw2_cdw3"),
              LE64.withName("mptr"),
              LE64.withName("dptr1"),
              LE64.withName("dptr2"),
              LE64.withName("cdw10_cdw11"),
              LE64.withName("cdw12_cdw13"),
              LE64.withName("cdw14_cdw15"))
          .withName("submission_queue_entry");

  static final int SIZE = (int) LAYOUT.byteSize();

  /** Field PSDT of dword 0: the data pointer is an SGL; metadata is contiguous. */
  static final int SGL = 1 << 14;

  private static final long CDW0_NSID_OFFSET = offset("cdw0_nsid");
  private static final long CDW2_CDW3_OFFSET = offset("cdw2_cdw3");
  private static final long MPTR_OFFSET = offset("mptr");
  private static final long DPTR1_OFFSET = offset("dptr1");
  private static final long DPTR2_OFFSET = offset("dptr2");
  private static final long CDW10_CDW11_OFFSET = offset("cdw10_cdw11");
  private static final long CDW12_CDW13_OFFSET = offset("cdw12_cdw13");
  private static final long CDW14_CDW15_OFFSET = offset("cdw14_cdw15");

  private SubmissionEntry() {}

  private static long offset(String field) {
    return LAYOUT.byteOffset(PathElement.groupElement(field));
  }

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
    queue.write64(entry + CDW0_NSID_OFFSET, pair(cdw0, namespaceId));
    queue.write64(entry + CDW2_CDW3_OFFSET, 0);
    queue.write64(entry + MPTR_OFFSET, 0);
    queue.write64(entry + DPTR1_OFFSET, dptr1);
    queue.write64(entry + DPTR2_OFFSET, dptr2);
    queue.write64(entry + CDW10_CDW11_OFFSET, cdw10and11);
    queue.write64(entry + CDW12_CDW13_OFFSET, cdw12and13);
    queue.write64(entry + CDW14_CDW15_OFFSET, cdw14and15);
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
    queue.set(LE64, entry + CDW0_NSID_OFFSET, pair(cdw0, namespaceId));
    queue.set(LE64, entry + CDW2_CDW3_OFFSET, 0);
    queue.set(LE64, entry + MPTR_OFFSET, 0);
    queue.set(LE64, entry + DPTR1_OFFSET, dptr1);
    queue.set(LE64, entry + DPTR2_OFFSET, dptr2);
    queue.set(LE64, entry + CDW10_CDW11_OFFSET, cdw10and11);
    queue.set(LE64, entry + CDW12_CDW13_OFFSET, cdw12and13);
    queue.set(LE64, entry + CDW14_CDW15_OFFSET, cdw14and15);
  }
}
