// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/** A completion queue entry. Source: NVM Express Base Specification, "Completion Queue Entry". */
final class NvmeCompletion {
  static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              LE32.withName("result"),
              LE32.withName("reserved"),
              LE16.withName("sqhd"),
              LE16.withName("sqid"),
              LE16.withName("cid"),
              LE16.withName("status_and_phase"))
          .withName("completion_queue_entry");

  static final int SIZE = (int) LAYOUT.byteSize();

  /** Where the half with the phase tag starts, which has to reach memory last. */
  static final long SECOND_HALF_OFFSET = offset("sqhd");

  private static final long RESULT_OFFSET = offset("result");
  private static final long SQHD_OFFSET = offset("sqhd");
  private static final long SQID_OFFSET = offset("sqid");
  private static final long CID_OFFSET = offset("cid");
  private static final long STATUS_OFFSET = offset("status_and_phase");

  private NvmeCompletion() {}

  private static long offset(String field) {
    return LAYOUT.byteOffset(PathElement.groupElement(field));
  }

  static void fill(
      MemorySegment entry, int result, int sqHead, int sqid, int cid, int status, boolean phase) {
    entry.set(LE32, RESULT_OFFSET, result);
    entry.set(LE16, SQHD_OFFSET, (short) sqHead);
    entry.set(LE16, SQID_OFFSET, (short) sqid);
    entry.set(LE16, CID_OFFSET, (short) cid);
    entry.set(LE16, STATUS_OFFSET, (short) ((status << 1) | (phase ? 1 : 0)));
  }
}
