package io.jvfio.nvme;

import static io.jvfio.nvme.LittleEndian.LE16;
import static io.jvfio.nvme.LittleEndian.LE32;
import static io.jvfio.nvme.LittleEndian.LE64;
import static io.jvfio.nvme.LittleEndian.LE8;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/**
 * A submission queue entry: one command. Source: NVM Express Base Specification, "Submission Queue
 * Entry".
 *
 * <p>Fields that this driver never sets (fused operations, SGLs, metadata, dwords 2, 3 and 13 to
 * 15) stay zero, as queue memory is from the start.
 */
final class SubmissionEntry {
  static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              LE8.withName("opcode"),
              LE8.withName("flags"),
              LE16.withName("cid"),
              LE32.withName("nsid"),
              LE32.withName("cdw2"),
              LE32.withName("cdw3"),
              LE64.withName("mptr"),
              LE64.withName("prp1"),
              LE64.withName("prp2"),
              LE32.withName("cdw10"),
              LE32.withName("cdw11"),
              LE32.withName("cdw12"),
              LE32.withName("cdw13"),
              LE32.withName("cdw14"),
              LE32.withName("cdw15"))
          .withName("submission_queue_entry");

  static final int SIZE = (int) LAYOUT.byteSize();

  private static final long OPCODE_OFFSET = offset("opcode");
  private static final long CID_OFFSET = offset("cid");
  private static final long NSID_OFFSET = offset("nsid");
  private static final long PRP1_OFFSET = offset("prp1");
  private static final long PRP2_OFFSET = offset("prp2");
  private static final long CDW10_OFFSET = offset("cdw10");
  private static final long CDW11_OFFSET = offset("cdw11");
  private static final long CDW12_OFFSET = offset("cdw12");

  private SubmissionEntry() {}

  private static long offset(String field) {
    return LAYOUT.byteOffset(PathElement.groupElement(field));
  }

  static void opcode(MemorySegment queue, long entry, int value) {
    queue.set(LE8, entry + OPCODE_OFFSET, (byte) value);
  }

  static void commandId(MemorySegment queue, long entry, int value) {
    queue.set(LE16, entry + CID_OFFSET, (short) value);
  }

  static void namespaceId(MemorySegment queue, long entry, int value) {
    queue.set(LE32, entry + NSID_OFFSET, value);
  }

  static void prp1(MemorySegment queue, long entry, long value) {
    queue.set(LE64, entry + PRP1_OFFSET, value);
  }

  static void prp2(MemorySegment queue, long entry, long value) {
    queue.set(LE64, entry + PRP2_OFFSET, value);
  }

  static void cdw10(MemorySegment queue, long entry, int value) {
    queue.set(LE32, entry + CDW10_OFFSET, value);
  }

  static void cdw11(MemorySegment queue, long entry, int value) {
    queue.set(LE32, entry + CDW11_OFFSET, value);
  }

  static void cdw12(MemorySegment queue, long entry, int value) {
    queue.set(LE32, entry + CDW12_OFFSET, value);
  }
}
