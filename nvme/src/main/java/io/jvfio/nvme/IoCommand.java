// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;

import java.lang.foreign.MemorySegment;

/**
 * The commands that not every controller offers (ONCS), and their data. Source: NVM Express Base
 * Specification, "Identify Controller data structure"; NVM Command Set Specification, "Dataset
 * Management command", "Copy command".
 */
enum IoCommand {
  COMPARE("Compare", 0),
  DATASET_MANAGEMENT("Dataset Management", 2),
  WRITE_ZEROES("Write Zeroes", 3),
  VERIFY("Verify", 7),
  COPY("Copy", 8);

  /** Dword 12 of Read and Write: bit 30. */
  static final int FORCE_UNIT_ACCESS = 1 << 30;

  /** Dword 11 of Dataset Management: attribute Deallocate. */
  static final int DEALLOCATE = 1 << 2;

  /** Source ranges of a Copy that fit the page that a command has for them. */
  static final int MAX_COPY_RANGES = PrpList.PAGE_SIZE / 32;

  private static final long DATASET_RANGE_BYTES = 16;
  private static final long COPY_RANGE_BYTES = 32;

  private final String label;
  private final int bit;

  IoCommand(String label, int bit) {
    this.label = label;
    this.bit = bit;
  }

  /** The command's name in the specification. */
  String label() {
    return label;
  }

  /** Which bit of ONCS stands for it. */
  int bit() {
    return bit;
  }

  boolean isOffered(int oncs) {
    return (oncs >> bit & 1) != 0;
  }

  static long datasetBytes(NvmeRanges ranges) {
    return ranges.size() * DATASET_RANGE_BYTES;
  }

  /** Each range: context attributes and length, then the first block. */
  static void writeDatasetRanges(NvmeRanges ranges, MemorySegment memory, long offset) {
    for (int i = 0; i < ranges.size(); i++) {
      long at = offset + i * DATASET_RANGE_BYTES;
      memory.set(LE64, at, SubmissionEntry.pair(0, (int) ranges.blocks(i)));
      memory.set(LE64, at + 8, ranges.lba(i));
    }
  }

  static long copyBytes(NvmeRanges ranges) {
    return ranges.size() * COPY_RANGE_BYTES;
  }

  /** Source range entries of format 0: the first block at byte 8, their number less 1 at 16. */
  static void writeCopyRanges(NvmeRanges ranges, MemorySegment memory, long offset) {
    for (int i = 0; i < ranges.size(); i++) {
      long at = offset + i * COPY_RANGE_BYTES;
      memory.set(LE64, at, 0);
      memory.set(LE64, at + 8, ranges.lba(i));
      memory.set(LE64, at + 16, ranges.blocks(i) - 1);
      memory.set(LE64, at + 24, 0);
    }
  }
}
