package io.jvfio.model;

import static io.jvfio.model.LittleEndian.LE64;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The memory that a command's PRP entries describe, as runs of contiguous addresses. Source: NVM
 * Express Base Specification, "Physical Region Page Entry and List".
 *
 * <p>PRP1 may start anywhere in a page. If the rest fits one page PRP2 points at that page, else at
 * a list of pages; a list that fills its page ends with a pointer to the next list. Pages that
 * happen to be neighbours are merged, so that a transfer is a few large copies.
 */
final class NvmePrp {
  /** MDTS as a power of two of the smallest page. */
  static final int MDTS = 7;

  static final int MAX_TRANSFER = 4096 << MDTS;

  /** Pages of the longest transfer at the smallest page size, and one more for an offset. */
  private static final int MAX_RUNS = (1 << MDTS) + 1;

  private static final long DWORD_MASK = 3;
  private static final long QWORD_MASK = 7;

  private final DmaPort dma;
  private final MemorySegment list;
  private final long[] iovas = new long[MAX_RUNS];
  private final long[] lengths = new long[MAX_RUNS];
  private int runs;

  NvmePrp(DmaPort dma, Arena arena) {
    this.dma = dma;
    list = arena.allocate((long) MAX_RUNS * Long.BYTES, Long.BYTES);
  }

  /**
   * Finds the memory for {@code length} bytes, at most {@link #MAX_TRANSFER}.
   *
   * @throws DmaFaultException if a list cannot be read
   */
  int map(NvmeCommand command, long length, int pageSize) throws DmaFaultException {
    runs = 0;
    if (length > MAX_TRANSFER) {
      return NvmeStatus.INVALID_FIELD;
    }
    long pageMask = pageSize - 1L;
    long first = command.prp1();
    if ((first & DWORD_MASK) != 0) {
      return NvmeStatus.INVALID_PRP_OFFSET;
    }
    long firstLength = Math.min(length, pageSize - (first & pageMask));
    add(first, firstLength);
    long left = length - firstLength;
    long second = command.prp2();
    if (left > pageSize) {
      return mapList(second, left, pageSize);
    }
    if (left > 0) {
      if ((second & pageMask) != 0) {
        return NvmeStatus.INVALID_PRP_OFFSET;
      }
      add(second, left);
    }
    return NvmeStatus.SUCCESS;
  }

  private int mapList(long listIova, long length, int pageSize) throws DmaFaultException {
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
      dma.read(at, list.asSlice(0, entries * Long.BYTES));
      long dataEntries = isChained ? entries - 1 : entries;
      for (long entry = 0; entry < dataEntries; entry++) {
        long page = list.getAtIndex(LE64, entry);
        if ((page & pageMask) != 0) {
          return NvmeStatus.INVALID_PRP_OFFSET;
        }
        long pageLength = Math.min(left, pageSize);
        add(page, pageLength);
        left -= pageLength;
      }
      if (!isChained) {
        return NvmeStatus.SUCCESS;
      }
      at = list.getAtIndex(LE64, dataEntries);
      alignment = pageMask;
    }
  }

  private void add(long iova, long length) {
    if (runs > 0 && iovas[runs - 1] + lengths[runs - 1] == iova) {
      lengths[runs - 1] += length;
      return;
    }
    iovas[runs] = iova;
    lengths[runs] = length;
    runs++;
  }

  int runs() {
    return runs;
  }

  long iova(int run) {
    return iovas[run];
  }

  long length(int run) {
    return lengths[run];
  }

  /** Writes the first bytes of {@code source} to the memory found, as many as were mapped. */
  void write(MemorySegment source) throws DmaFaultException {
    long done = 0;
    for (int run = 0; run < runs; run++) {
      dma.write(iovas[run], source.asSlice(done, lengths[run]));
      done += lengths[run];
    }
  }
}
