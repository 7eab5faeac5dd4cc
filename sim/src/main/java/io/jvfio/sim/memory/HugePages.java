// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Kernel;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The machine's pools of huge pages, one for each size. A page is taken when it is mapped, as if it
 * were touched at once. Source: {@code mm/hugetlb.c}, {@code
 * Documentation/admin-guide/mm/hugetlbpage.rst}.
 */
public final class HugePages {
  private static final int SIZE_MASK = 0x3f;
  private static final long DEFAULT_SIZE = 2 << 20;

  private final Map<Long, Pool> pools = new TreeMap<>();

  /** The pages of one size. */
  public static final class Pool {
    private final long pageSize;
    private final long pages;
    private long taken;

    private Pool(long pageSize, long pages) {
      this.pageSize = pageSize;
      this.pages = pages;
    }

    public long pageSize() {
      return pageSize;
    }

    public long pages() {
      return pages;
    }

    public long free() {
      return pages - taken;
    }

    /** {@code byteSize} in whole pages. */
    public long roundUp(long byteSize) {
      return (byteSize + pageSize - 1) & -pageSize;
    }

    /** Takes pages, or none and returns false. */
    public boolean take(long count) {
      if (count > free()) {
        return false;
      }
      taken += count;
      return true;
    }

    /** Gives back what {@link #take} took. */
    public void give(long count) {
      taken -= count;
    }
  }

  public HugePages(HostDescription description, HostSettings settings) {
    var sizes = sizes(description.architecture());
    for (long size : sizes) {
      pools.put(size, new Pool(size, settings.hugePages.getOrDefault(size, 0)));
    }
    for (long size : settings.hugePages.keySet()) {
      if (!pools.containsKey(size)) {
        throw new IllegalArgumentException(
            "host %s has huge pages of %s bytes, not of %d"
                .formatted(description.name(), sizes, size));
      }
    }
  }

  private static List<Long> sizes(Architecture architecture) {
    return switch (architecture) {
      case X86_64, PPC64LE, RISCV64 -> List.of(2L << 20, 1L << 30);
      case AARCH64 -> List.of(64L << 10, 2L << 20, 32L << 20, 1L << 30);
    };
  }

  /** The pools, by ascending page size. */
  public Iterable<Pool> pools() {
    return pools.values();
  }

  /**
   * The pool that the flags of {@code mmap(2)} or {@code memfd_create(2)} choose, or null when this
   * machine has no such pages.
   */
  public @Nullable Pool chosenBy(int flags) {
    int shift = flags >>> Kernel.MAP_HUGE_SHIFT & SIZE_MASK;
    return pools.get(shift == 0 ? DEFAULT_SIZE : 1L << shift);
  }

  /** Bytes of huge pages that are taken. */
  public long takenBytes() {
    long bytes = 0;
    for (var pool : pools.values()) {
      bytes += pool.taken * pool.pageSize;
    }
    return bytes;
  }
}
