// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import io.jvfio.linux.Errno;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory that the process has registered for sPAPR v2. The list is the process's and not a
 * container's: two containers that register the same range share it, and a region that is
 * unregistered while mapped stays on it for good. Source: {@code
 * arch/powerpc/mm/book3s64/iommu_api.c}.
 */
public final class PreregisteredMemory {
  private final ProcessMemory memory;
  private final LockedMemory locked;
  private final int pageSize;
  private final List<Region> regions = new ArrayList<>();

  /** A registered range. */
  public static final class Region {
    final long address;
    final long byteSize;

    /** The largest IOMMU page that its backing allows. */
    public final int pageShift;

    private int users = 1;
    private long mappedPages;

    private Region(long address, long byteSize, int pageShift) {
      this.address = address;
      this.byteSize = byteSize;
      this.pageShift = pageShift;
    }

    /** One more IOMMU page of it is mapped. */
    public void mapped() {
      mappedPages++;
    }

    /** One IOMMU page of it less is mapped. */
    public void unmapped() {
      mappedPages--;
    }
  }

  public PreregisteredMemory(ProcessMemory memory, LockedMemory locked, int pageSize) {
    this.memory = memory;
    this.locked = locked;
    this.pageSize = pageSize;
  }

  /** The region of just this range, with one more user, or null. */
  public @Nullable Region get(long address, long byteSize) {
    for (var region : regions) {
      if (region.address == address && region.byteSize == byteSize) {
        region.users++;
        return region;
      }
    }
    return null;
  }

  /**
   * Registers a new range. Its result is in the kernel's terms: 0, a negated errno, or the number
   * of pages that could be pinned when not all could.
   */
  public int add(long address, long byteSize) {
    if (!locked.charge(byteSize) || byteSize == 0) {
      return Errno.ENOMEM.result();
    }
    long pinnable = memory.pinnable(address, byteSize, true);
    if (pinnable < byteSize) {
      locked.uncharge(byteSize);
      return pinnable == 0 ? Errno.EFAULT.result() : (int) (pinnable / pageSize);
    }
    for (var region : regions) {
      if (region.address < address + byteSize && address < region.address + region.byteSize) {
        locked.uncharge(byteSize);
        return Errno.EINVAL.result();
      }
    }
    memory.pin(address, byteSize);
    int alignment = Long.numberOfTrailingZeros(address | byteSize);
    int backing = Long.numberOfTrailingZeros(memory.pageSize(address, byteSize));
    int pageShift = Math.min(alignment, backing);
    regions.add(new Region(address, byteSize, pageShift));
    return 0;
  }

  /** The region just added. */
  public Region last() {
    return regions.getLast();
  }

  /** Drops a user. The last one does not get away with it while pages are mapped. */
  public void put(Region region) {
    if (region.users > 1) {
      region.users--;
    } else if (region.mappedPages == 0) {
      regions.remove(region);
      memory.unpin(region.address, region.byteSize);
      locked.uncharge(region.byteSize);
    }
  }

  /** The region that has all of a range, or null. */
  public @Nullable Region containing(long address, long byteSize) {
    for (var region : regions) {
      if (region.address <= address && address + byteSize <= region.address + region.byteSize) {
        return region;
      }
    }
    return null;
  }
}
