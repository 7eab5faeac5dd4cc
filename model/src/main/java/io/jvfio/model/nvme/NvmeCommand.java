// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/**
 * The command being carried out: a submission queue entry, decoded, and dword 0 of its completion.
 * Source: NVM Express Base Specification, "Submission Queue Entry".
 *
 * <p>One object serves all commands in turn; {@link #load} overwrites it.
 */
final class NvmeCommand {
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

  /** Fused operation (bits 1:0), which this model does not know. */
  private static final int FUSED = 0x03;

  /** PRP or SGL for Data Transfer. */
  private static final int POINTER_SHIFT = 6;

  private static final long OPCODE_OFFSET = offset("opcode");
  private static final long FLAGS_OFFSET = offset("flags");
  private static final long CID_OFFSET = offset("cid");
  private static final long NSID_OFFSET = offset("nsid");
  private static final long PRP1_OFFSET = offset("prp1");
  private static final long PRP2_OFFSET = offset("prp2");
  private static final long CDW10_OFFSET = offset("cdw10");
  private static final long CDW11_OFFSET = offset("cdw11");
  private static final long CDW12_OFFSET = offset("cdw12");
  private static final long CDW13_OFFSET = offset("cdw13");
  private static final long CDW14_OFFSET = offset("cdw14");

  private int queueId;
  private int opcode;
  private int flags;
  private int id;
  private int namespaceId;
  private long prp1;
  private long prp2;
  private int cdw10;
  private int cdw11;
  private int cdw12;
  private int cdw13;
  private int cdw14;
  private int result;

  private static long offset(String field) {
    return LAYOUT.byteOffset(PathElement.groupElement(field));
  }

  /** Decodes the entry at {@code base}, fetched from submission queue {@code sqid}. */
  void load(int sqid, MemorySegment entries, long base) {
    queueId = sqid;
    opcode = Byte.toUnsignedInt(entries.get(LE8, base + OPCODE_OFFSET));
    flags = Byte.toUnsignedInt(entries.get(LE8, base + FLAGS_OFFSET));
    id = Short.toUnsignedInt(entries.get(LE16, base + CID_OFFSET));
    namespaceId = entries.get(LE32, base + NSID_OFFSET);
    prp1 = entries.get(LE64, base + PRP1_OFFSET);
    prp2 = entries.get(LE64, base + PRP2_OFFSET);
    cdw10 = entries.get(LE32, base + CDW10_OFFSET);
    cdw11 = entries.get(LE32, base + CDW11_OFFSET);
    cdw12 = entries.get(LE32, base + CDW12_OFFSET);
    cdw13 = entries.get(LE32, base + CDW13_OFFSET);
    cdw14 = entries.get(LE32, base + CDW14_OFFSET);
    result = 0;
  }

  /** A copy that lasts. */
  NvmeCommand copy() {
    var copy = new NvmeCommand();
    copy.copyOf(this);
    return copy;
  }

  /** Makes this the same as another command, whose completion has not been filled in. */
  void copyOf(NvmeCommand other) {
    queueId = other.queueId;
    opcode = other.opcode;
    flags = other.flags;
    id = other.id;
    namespaceId = other.namespaceId;
    prp1 = other.prp1;
    prp2 = other.prp2;
    cdw10 = other.cdw10;
    cdw11 = other.cdw11;
    cdw12 = other.cdw12;
    cdw13 = other.cdw13;
    cdw14 = other.cdw14;
    result = 0;
  }

  int queueId() {
    return queueId;
  }

  int opcode() {
    return opcode;
  }

  /** Whether PRPs or an SGL say where the data is, and it is not a half of a fused command. */
  boolean hasKnownFlags() {
    return (flags & FUSED) == 0 && flags >>> POINTER_SHIFT != 3;
  }

  /** Whether the data is described by an SGL. */
  boolean usesSgl() {
    return flags >>> POINTER_SHIFT != 0;
  }

  int id() {
    return id;
  }

  int namespaceId() {
    return namespaceId;
  }

  long prp1() {
    return prp1;
  }

  long prp2() {
    return prp2;
  }

  /** Address in the SGL descriptor, which takes the place of PRP1. */
  long sglAddress() {
    return prp1;
  }

  /** Length in the SGL descriptor, unsigned. */
  int sglLength() {
    return (int) prp2;
  }

  /** Type (bits 7:4) and sub-type (bits 3:0) of the SGL descriptor. */
  int sglType() {
    return (int) (prp2 >>> 56);
  }

  int cdw10() {
    return cdw10;
  }

  int cdw11() {
    return cdw11;
  }

  int cdw12() {
    return cdw12;
  }

  int cdw13() {
    return cdw13;
  }

  int cdw14() {
    return cdw14;
  }

  /** Dwords 10 and 11 as one value: the starting LBA of an I/O command. */
  long cdw10And11() {
    return Integer.toUnsignedLong(cdw10) | ((long) cdw11 << 32);
  }

  /** Dword 0 of the completion. */
  int result() {
    return result;
  }

  void result(int value) {
    result = value;
  }
}
