package io.jvfio.nvme;

import static io.jvfio.nvme.LittleEndian.LE16;
import static io.jvfio.nvme.LittleEndian.LE32;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.VarHandle;

/**
 * A completion queue entry. Source: NVM Express Base Specification, "Completion Queue Entry".
 *
 * <p>The last dword holds the command identifier (bits 15:0), the phase tag (bit 16) and the status
 * (bits 31:17). It is read first, with acquire semantics: once the phase tag says that the entry is
 * new, the rest of it and the data that it announces can be read.
 */
final class CompletionEntry {
  static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              LE32.withName("result"),
              LE32.withName("reserved"),
              LE16.withName("sqhd"),
              LE16.withName("sqid"),
              LE32.withName("cid_phase_status"))
          .withName("completion_queue_entry");

  static final int SIZE = (int) LAYOUT.byteSize();

  private static final long RESULT_OFFSET = offset("result");
  private static final long LAST_DWORD_OFFSET = offset("cid_phase_status");
  private static final VarHandle LAST_DWORD = LE32.varHandle().withInvokeExactBehavior();

  private CompletionEntry() {}

  private static long offset(String field) {
    return LAYOUT.byteOffset(PathElement.groupElement(field));
  }

  /** The last dword, before anything else of the entry. */
  static int lastDwordAcquire(MemorySegment queue, long entry) {
    return (int) LAST_DWORD.getAcquire(queue, entry + LAST_DWORD_OFFSET);
  }

  static int result(MemorySegment queue, long entry) {
    return queue.get(LE32, entry + RESULT_OFFSET);
  }

  static int commandId(int lastDword) {
    return lastDword & 0xffff;
  }

  static int phase(int lastDword) {
    return (lastDword >>> 16) & 1;
  }

  /** Status code in bits 7:0, its type in bits 10:8, Do Not Retry in bit 14; 0 is success. */
  static int status(int lastDword) {
    return lastDword >>> 17;
  }
}
