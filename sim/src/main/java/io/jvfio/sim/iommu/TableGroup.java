// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import org.jspecify.annotations.Nullable;

/**
 * The sPAPR side of a group: its windows, and what the platform can do with them. Source: {@code
 * struct iommu_table_group} and its operations in {@code arch/powerpc/include/asm/iommu.h}.
 */
public abstract class TableGroup {
  /** How many windows a group can have. */
  static final int WINDOWS = 2;

  /** The default window's page size. */
  static final int DEFAULT_PAGE_SHIFT = 12;

  protected final @Nullable TceTable[] tables = new TceTable[WINDOWS];

  private final Offer offer;
  private @Nullable Endpoint endpoint;

  /**
   * The platform's description of its windows.
   *
   * @param windowSize size of the default window, which starts at 0
   * @param pageSizes what can be an IOMMU page, a bit for each size in bytes
   * @param maxWindows how many windows it supports, as an unsigned number
   * @param maxLevels how many levels a table may have
   */
  record Offer(long windowSize, long pageSizes, int maxWindows, int maxLevels) {}

  TableGroup(Offer offer) {
    this.offer = offer;
  }

  final Offer offer() {
    return offer;
  }

  /** A result for {@link #createTable}: a table, or a negated errno. */
  record Created(@Nullable TceTable table, int error) {
    static Created table(TceTable table) {
      return new Created(table, 0);
    }

    static Created error(int error) {
      return new Created(null, error);
    }
  }

  /** The endpoint as which Enhanced Error Handling knows the group, or null where there is none. */
  final @Nullable Endpoint endpoint() {
    return endpoint;
  }

  /** Begins with Enhanced Error Handling where it works. */
  final void startErrorHandling(Runnable resetDevices) {
    if (hasErrorHandling()) {
      endpoint = new Endpoint(resetDevices);
    }
  }

  /** Whether the platform can hand its windows over, which old kernels ask first. */
  boolean hasOwnership() {
    return true;
  }

  /** What a table would count against locked memory, or 0 if there can be none. */
  abstract long tableBytes(int pageShift, long windowSize, int levels);

  /** Creates the table of window {@code number}. */
  abstract Created createTable(int number, int pageShift, long windowSize, int levels);

  /** Makes the group use a table: 0, or a negated errno. */
  int setWindow(int number, TceTable table) {
    return tables[number] == table ? 0 : Errno.EPERM.result();
  }

  /** Makes the group use no table for window {@code number}. */
  abstract void unsetWindow(int number);

  /** Whether Enhanced Error Handling works here, for devices that can have it. */
  boolean hasErrorHandling() {
    return false;
  }

  /** The host gives its own windows up. */
  void takeOwnership() {}

  /** The host gets its own windows back. */
  void releaseOwnership() {}

  /** The host's own table of the default window while VFIO borrows it, or null. */
  @Nullable TceTable borrowedTable() {
    return null;
  }

  /** What a table without levels takes: eight bytes an entry. */
  static long flatTableBytes(int pageShift, long windowSize) {
    return windowSize >>> (pageShift - 3);
  }
}
