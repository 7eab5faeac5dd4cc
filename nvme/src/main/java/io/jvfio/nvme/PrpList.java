// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;

import java.lang.foreign.MemorySegment;

/**
 * Describes device memory by PRP entries. Source: NVM Express Base Specification, "Physical Region
 * Page Entry and List".
 *
 * <p>Pages are those of CC.MPS, 4 KiB, whatever pages the host or the IOMMU has. A list that does
 * not fit one page goes on in the next: the last entry of a page is the address of the next then.
 * The pages of a list lie behind each other.
 */
final class PrpList {
  static final int PAGE_SIZE = 4096;

  /** What a list of one page describes at least: PRP1 covers at least one byte of it. */
  static final long MAX_TRANSFER = (long) PAGE_SIZE / Long.BYTES * PAGE_SIZE;

  private static final long PAGE_MASK = PAGE_SIZE - 1;
  private static final int ENTRIES_PER_PAGE = PAGE_SIZE / Long.BYTES;

  private PrpList() {}

  /** How many pages a list for {@code byteSize} bytes needs at most. */
  static int pages(long byteSize) {
    long entries = (byteSize + PAGE_MASK) / PAGE_SIZE;
    // All but the last page have one entry that is the address of the next page.
    return entries <= ENTRIES_PER_PAGE
        ? 1
        : (int) ((entries + ENTRIES_PER_PAGE - 2 - 1) / (ENTRIES_PER_PAGE - 1));
  }

  /**
   * Describes the memory behind the first page.
   *
   * @param iova where the transfer starts; a multiple of 4
   * @param byteSize length of the transfer
   * @param lists memory for lists
   * @param listOffset where in it this list may use {@link #pages} pages
   * @param listIova the first of them as the device sees it
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
    if (entries <= ENTRIES_PER_PAGE) {
      for (long i = 0; i < entries; i++) {
        lists.set(LE64, listOffset + i * Long.BYTES, second + i * PAGE_SIZE);
      }
    } else {
      long at = 0;
      for (long i = 0; i < entries; i++) {
        at = chain(lists, listOffset, listIova, at, entries - i);
        lists.set(LE64, listOffset + at * Long.BYTES, second + i * PAGE_SIZE);
        at++;
      }
    }
    return listIova;
  }

  /**
   * Goes to the next page of the list, where the entry is the last of its page and more than one
   * are to come.
   *
   * @return where the next entry is
   */
  private static long chain(
      MemorySegment lists, long listOffset, long listIova, long at, long entriesLeft) {
    if (at % ENTRIES_PER_PAGE != ENTRIES_PER_PAGE - 1 || entriesLeft == 1) {
      return at;
    }
    lists.set(LE64, listOffset + at * Long.BYTES, listIova + (at + 1) * Long.BYTES);
    return at + 1;
  }

  /**
   * Describes scattered memory behind its first page: each piece but the first has to start at a
   * page, and each but the last to end at one.
   *
   * @return PRP2; PRP1 is the address of the first piece
   */
  static long describe(NvmeScatter scatter, MemorySegment lists, long listOffset, long listIova) {
    long entries = 0;
    for (int piece = 0; piece < scatter.size(); piece++) {
      long iova = scatter.iova(piece);
      long pages = ((iova & PAGE_MASK) + scatter.byteSize(piece) + PAGE_MASK) / PAGE_SIZE;
      entries += piece == 0 ? pages - 1 : pages;
    }
    long at = 0;
    long left = entries;
    long only = 0;
    for (int piece = 0; piece < scatter.size(); piece++) {
      long end = scatter.iova(piece) + scatter.byteSize(piece);
      long page = scatter.iova(piece) & ~PAGE_MASK;
      for (page += piece == 0 ? PAGE_SIZE : 0; page < end; page += PAGE_SIZE) {
        at = chain(lists, listOffset, listIova, at, left);
        lists.set(LE64, listOffset + at * Long.BYTES, page);
        only = page;
        at++;
        left--;
      }
    }
    return entries <= 1 ? only : listIova;
  }
}
