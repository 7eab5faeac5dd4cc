// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The memory that a command's PRP entries describe. Source: NVM Express Base Specification,
 * "Physical Region Page Entry and List".
 *
 * <p>PRP1 may start anywhere in a page, at a dword. If the rest fits one page PRP2 points at that
 * page, else at a list of pages; a list that fills its page ends with a pointer to the next list.
 */
final class NvmePrp {
  private static final long LARGEST_PAGE = 1 << 16;
  private static final long DWORD_MASK = 3;
  private static final long QWORD_MASK = 7;

  private final DmaPort dma;
  private final MemorySegment list;

  NvmePrp(DmaPort dma, Arena arena) {
    this.dma = dma;
    list = arena.allocate(LARGEST_PAGE, Long.BYTES);
  }

  /**
   * Finds the memory for {@code length} bytes.
   *
   * @return a status
   * @throws DmaFaultException if a list cannot be read
   */
  int map(NvmeCommand command, long length, int pageSize, NvmeRuns runs) throws DmaFaultException {
    long pageMask = pageSize - 1L;
    long first = command.prp1();
    if ((first & DWORD_MASK) != 0) {
      return NvmeStatus.INVALID_PRP_OFFSET;
    }
    long firstLength = Math.min(length, pageSize - (first & pageMask));
    runs.add(first, firstLength);
    long left = length - firstLength;
    long second = command.prp2();
    if (left > pageSize) {
      return mapList(second, left, pageSize, runs);
    }
    if (left > 0) {
      if ((second & pageMask) != 0) {
        return NvmeStatus.INVALID_PRP_OFFSET;
      }
      runs.add(second, left);
    }
    return NvmeStatus.SUCCESS;
  }

  private int mapList(long listIova, long length, int pageSize, NvmeRuns runs)
      throws DmaFaultException {
    long pageMask = pageSize - 1L;
    long left = length;
    long at = listIova;
    long alignment = QWORD_MASK;
    while (true) {
      if ((at & alignment) != 0) {
        return NvmeStatus.INVALID_PRP_OFFSET;
      }
      long pages = (left + pageMask) / pageSize;
      long room = (pageSize - (at & pageMask)) / Long.BYTES;
      boolean isChained = pages > room;
      long entries = isChained ? room : pages;
      dma.read(at, list, 0, entries * Long.BYTES);
      long dataEntries = isChained ? entries - 1 : entries;
      for (long entry = 0; entry < dataEntries; entry++) {
        long page = list.getAtIndex(LE64, entry);
        if ((page & pageMask) != 0) {
          return NvmeStatus.INVALID_PRP_OFFSET;
        }
        long pageLength = Math.min(left, pageSize);
        runs.add(page, pageLength);
        left -= pageLength;
      }
      if (!isChained) {
        return NvmeStatus.SUCCESS;
      }
      at = list.getAtIndex(LE64, dataEntries);
      alignment = pageMask;
    }
  }
}
