package io.jvfio.sim;

import org.jspecify.annotations.Nullable;

/**
 * The sPAPR side of a group: its windows, and what the platform can do with them. Source: {@code
 * struct iommu_table_group} and its operations in {@code arch/powerpc/include/asm/iommu.h}.
 */
abstract class TableGroup {
  /** How many windows a group can have. */
  static final int WINDOWS = 2;

  /** The default window's page size. */
  static final int DEFAULT_PAGE_SHIFT = 12;

  final @Nullable TceTable[] tables = new TceTable[WINDOWS];

  /** What Enhanced Error Handling knows the group as, or null where there is none. */
  @Nullable Endpoint endpoint;

  /** A result for {@link #createTable}: a table, or a negated errno. */
  record Created(@Nullable TceTable table, int error) {
    static Created table(TceTable table) {
      return new Created(table, 0);
    }

    static Created error(int error) {
      return new Created(null, error);
    }
  }

  /** Size of the default window, which starts at 0. */
  abstract long windowSize();

  /** What can be an IOMMU page, a bit for each size in bytes. */
  abstract long pageSizes();

  /** How many windows it says it supports, as an unsigned number. */
  abstract int maxWindows();

  /** How many levels it says a table may have. */
  abstract int maxLevels();

  /** Whether the platform can hand its windows over, which old kernels ask first. */
  abstract boolean hasOwnership();

  /** What a table would count against locked memory, or 0 if there can be none. */
  abstract long tableBytes(int pageShift, long windowSize, int levels);

  /** Creates the table of window {@code number}. */
  abstract Created createTable(int number, int pageShift, long windowSize, int levels);

  /** Makes the group use a table: 0, or a negated errno. */
  abstract int setWindow(int number, TceTable table);

  /** Makes the group use no table for window {@code number}. */
  abstract void unsetWindow(int number);

  /** Whether Enhanced Error Handling works here, for devices that can have it. */
  boolean hasErrorHandling() {
    return false;
  }

  /** The host gives its own windows up. */
  abstract void takeOwnership();

  /** The host gets its own windows back. */
  abstract void releaseOwnership();

  /** The host's own table of the default window while VFIO borrows it, or null. */
  @Nullable TceTable borrowedTable() {
    return null;
  }

  /** What a table without levels takes: eight bytes an entry. */
  static long flatTableBytes(int pageShift, long windowSize) {
    return windowSize >>> (pageShift - 3);
  }
}
