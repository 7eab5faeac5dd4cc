// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.setup.IommuPlatform;
import io.jvfio.sim.setup.KernelEra;
import java.lang.foreign.MemorySegment;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * The two windows of a sPAPR container, and the mappings in them. The default window is lazy: the
 * first command that needs a window makes it. Source: {@code drivers/vfio/vfio_iommu_spapr_tce.c}.
 */
final class SpaprWindows {
  /** The hypervisor's H_PARAMETER, which reaches the user as if it were EINTR. */
  private static final int H_PARAMETER = -4;

  private final HostProcess process;
  private final boolean v2;
  private final Deque<TableGroup> groups;
  private final @Nullable TceTable[] tables = new TceTable[TableGroup.WINDOWS];
  private boolean defaultPending;

  SpaprWindows(HostProcess process, boolean v2, Deque<TableGroup> groups) {
    this.process = process;
    this.v2 = v2;
    this.groups = groups;
  }

  /** Gives a new group the windows that there are. */
  int attach(TableGroup group) {
    var borrowed = group.borrowedTable();
    if (borrowed != null) {
      tables[0] = borrowed;
      return 0;
    }
    int error = 0;
    for (int i = 0; i < tables.length && error == 0; i++) {
      var table = tables[i];
      if (table != null) {
        error = group.setWindow(i, table);
      }
    }
    if (error != 0) {
      for (int i = 0; i < tables.length; i++) {
        group.unsetWindow(i);
      }
    }
    if (groups.isEmpty() && tables[0] == null) {
      defaultPending = true;
    }
    return error;
  }

  /** Takes the windows from a group. With its table, a borrowed one ends for all. */
  void detach(TableGroup group) {
    for (int i = 0; i < tables.length; i++) {
      var table = tables[i];
      if (table == null) {
        continue;
      }
      group.unsetWindow(i);
      if (table == group.borrowedTable()) {
        clearAll(table);
        tables[i] = null;
      } else if (process.era() == KernelEra.LINUX_6_12) {
        // The platform clears the tables it gets back, whoever else still uses them.
        clearAll(table);
      }
    }
  }

  /** The last group is gone. */
  void release() {
    for (int i = 0; i < tables.length; i++) {
      var table = tables[i];
      if (table != null) {
        free(table);
        tables[i] = null;
      }
    }
    defaultPending = false;
  }

  private void clearAll(TceTable table) {
    table.clearAll(address -> unuse(address, table.pageSize()));
  }

  private void free(TceTable table) {
    clearAll(table);
    process.locked().uncharge(table.allocatedBytes());
  }

  long mappedBytes() {
    long bytes = 0;
    for (var table : tables) {
      bytes += table == null ? 0 : table.mappedBytes();
    }
    return bytes;
  }

  /** The window that has {@code iova}, or null. */
  @Nullable TceTable containing(long iova) {
    for (var table : tables) {
      if (table != null && table.contains(iova)) {
        return table;
      }
    }
    return null;
  }

  /** Makes the default window if it is still to be made: 0, or a negated errno. */
  int createDefault() {
    if (!defaultPending) {
      return 0;
    }
    var created = create(TableGroup.DEFAULT_PAGE_SHIFT, groups.getFirst().offer().windowSize(), 1);
    if (created.error() == 0) {
      defaultPending = false;
    }
    return created.error();
  }

  /** Makes a window in the first free slot. */
  TableGroup.Created create(int pageShift, long windowSize, int levels) {
    int slot = tables[0] == null ? 0 : 1;
    var group = groups.getFirst();
    if (tables[slot] != null) {
      return TableGroup.Created.error(Errno.ENOSPC.result());
    }
    if (pageShift < 0
        || pageShift >= Long.SIZE
        || (group.offer().pageSizes() >>> pageShift & 1) == 0) {
      return TableGroup.Created.error(Errno.EINVAL.result());
    }
    long bytes = group.tableBytes(pageShift, windowSize, levels);
    if (bytes == 0) {
      return TableGroup.Created.error(Errno.EINVAL.result());
    }
    if (!process.locked().charge(bytes)) {
      return TableGroup.Created.error(Errno.ENOMEM.result());
    }
    // The charge is not taken back when this fails: the kernel forgets to.
    var created = group.createTable(slot, pageShift, windowSize, levels);
    var table = created.table();
    if (table == null) {
      return created;
    }
    for (var each : groups) {
      int error = each.setWindow(slot, table);
      if (error != 0) {
        groups.forEach(any -> any.unsetWindow(slot));
        free(table);
        return TableGroup.Created.error(error);
      }
    }
    tables[slot] = table;
    return created;
  }

  /** Removes the window that has {@code address}: 0, or a negated errno. */
  int remove(long address) {
    if (defaultPending && address == 0) {
      defaultPending = false;
      return 0;
    }
    for (int i = 0; i < tables.length; i++) {
      var table = tables[i];
      if (table != null && table.contains(address)) {
        for (var group : groups) {
          group.unsetWindow(i);
        }
        free(table);
        tables[i] = null;
        return 0;
      }
    }
    return Errno.EINVAL.result();
  }

  /**
   * Maps page by page. Only the first page was checked against the window's end; a page that fails
   * takes back those before it, and what they had replaced is lost.
   */
  int map(TceTable table, long iova, long vaddr, long size, boolean read, boolean write) {
    long pageSize = table.pageSize();
    // Always pinned for writing, even where the device may only read.
    long pinnable = v2 ? 0 : process.memory().pinnable(vaddr, size, true);
    for (long done = 0; Long.compareUnsigned(done, size) < 0; done += pageSize) {
      boolean pins = pinnable - done >= pageSize;
      int error = mapPage(table, iova + done, vaddr + done, pins, read, write);
      if (error != 0) {
        clear(table, iova, done);
        return error;
      }
    }
    return 0;
  }

  private int mapPage(
      TceTable table, long iova, long vaddr, boolean pins, boolean read, boolean write) {
    if (v2) {
      var region = process.preregistered().containing(vaddr, table.pageSize());
      if (region == null || table.pageShift() > region.pageShift) {
        return Errno.EINVAL.result();
      }
      if (!table.contains(iova)) {
        return beyondTheEnd(iova);
      }
      region.mapped();
    } else {
      if (!pins) {
        return Errno.EFAULT.result();
      }
      if (!table.contains(iova)) {
        return beyondTheEnd(iova);
      }
      process.memory().pin(vaddr, table.pageSize());
    }
    long replaced = table.map(iova, vaddr, read, write);
    if (replaced >= 0) {
      unuse(replaced, table.pageSize());
    }
    return 0;
  }

  /**
   * Version 1 lets a hypervisor refuse. Version 2 looks up the refused page in its own list of the
   * window's pages, which ends with the window; a table in memory is written past its end.
   */
  private int beyondTheEnd(long iova) {
    if (!v2 && process.description().platform() instanceof IommuPlatform.Partition) {
      return H_PARAMETER;
    }
    throw new HarmfulCall(
        "MAP_DMA past the end of a window, at 0x%x: here a real kernel leaves its table and may crash; map no more than the window has"
            .formatted(iova));
  }

  /** Clears what there is in a range of the window; the rest is no error. */
  void clear(TceTable table, long iova, long size) {
    for (long done = 0; Long.compareUnsigned(done, size) < 0; done += table.pageSize()) {
      long address = table.clear(iova + done);
      if (address >= 0) {
        unuse(address, table.pageSize());
      }
    }
  }

  private void unuse(long address, long byteSize) {
    if (v2) {
      var region = process.preregistered().containing(address, byteSize);
      if (region != null) {
        region.unmapped();
      }
    } else {
      process.memory().unpin(address, byteSize);
    }
  }

  MemorySegment reach(long iova, long byteSize, boolean write) throws DmaBlocked {
    var table = containing(iova);
    if (table == null) {
      throw new DmaBlocked(iova, "in no DMA window");
    }
    return table.reach(process.memory(), iova, byteSize, write);
  }
}
