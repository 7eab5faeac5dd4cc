package io.jvfio.nvme;

import static io.jvfio.nvme.LittleEndian.LE64;

import java.lang.foreign.MemorySegment;

/**
 * Describes contiguous device memory by PRP entries. Source: NVM Express Base Specification,
 * "Physical Region Page Entry and List".
 *
 * <p>Pages are those of CC.MPS, 4 KiB, whatever pages the host or the IOMMU has. A transfer is at
 * most {@link #MAX_TRANSFER}, whose list fits one page: lists are never chained.
 */
final class PrpList {
  static final int PAGE_SIZE = 4096;

  /** PRP1 covers at least one byte; a page of entries covers the rest. */
  static final long MAX_TRANSFER = (long) PAGE_SIZE / Long.BYTES * PAGE_SIZE;

  private static final long PAGE_MASK = PAGE_SIZE - 1;

  private PrpList() {}

  /**
   * Describes the memory behind the first page.
   *
   * @param iova where the transfer starts; a multiple of 4
   * @param byteSize length of the transfer
   * @param lists memory for lists
   * @param listOffset where in it this list may use a page
   * @param listIova that page as the device sees it
   * @return PRP2; PRP1 is {@code iova} itself
   */
  static long describe(
      long iova, long byteSize, MemorySegment lists, long listOffset, long listIova) {
    long second = (iova | PAGE_MASK) + 1;
    long left = byteSize - (second - iova);
    if (left <= 0) {
      return 0;
    }
    if (left <= PAGE_SIZE) {
      return second;
    }
    long entries = (left + PAGE_MASK) / PAGE_SIZE;
    for (long i = 0; i < entries; i++) {
      lists.set(LE64, listOffset + i * Long.BYTES, second + i * PAGE_SIZE);
    }
    return listIova;
  }
}
