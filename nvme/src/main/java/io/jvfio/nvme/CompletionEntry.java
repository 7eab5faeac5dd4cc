// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * A completion queue entry. Source: NVM Express Base Specification, "Completion Queue Entry".
 *
 * <p>The last dword holds the command identifier (bits 15:0), the phase tag (bit 16) and the status
 * (bits 31:17). It is read first, with acquire semantics: once the phase tag says that the entry is
 * new, the rest of it and the data that it announces can be read.
 *
 * <pre>
 *       31       17  16  15               0
 *   0 | command specific result            |
 *   4 | reserved                           |
 *   8 | submission queue | its head        |
 *  12 | status     | P | command identifier|
 * </pre>
 */
final class CompletionEntry {
  static final int SIZE = 16;

  private static final long RESULT_OFFSET = 0;
  private static final long LAST_DWORD_OFFSET = 12;
  private static final VarHandle LAST_DWORD = LE32.varHandle().withInvokeExactBehavior();

  private CompletionEntry() {}

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
