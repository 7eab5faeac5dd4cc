// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.SharedMemory;
import io.jvfio.sim.memory.Backing;
import io.jvfio.sim.memory.HugePages;
import io.jvfio.sim.memory.PhysicalRange;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * A file that lives in memory only. Its size is fixed: what would make it grow finds no room.
 * Source: {@code mm/memfd.c}, {@code mm/shmem.c}, {@code fs/hugetlbfs/inode.c}.
 */
public final class MemoryFile extends OpenFile {
  private static final int LONGEST_NAME = 249;
  private static final int MFD_FLAGS = 0x1f;
  private static final int MFD_HUGE_FLAGS = 0x3f << Kernel.MAP_HUGE_SHIFT;

  private final HostProcess process;
  private final SharedMemory memory;
  private final HugePages.@Nullable Pool pool;
  private final long byteSize;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment whole;
  private final PhysicalRange physical;

  /** The huge pages that it has, by number. */
  private final BitSet taken = new BitSet();

  private MemoryFile(
      HostProcess process,
      String name,
      SharedMemory memory,
      HugePages.@Nullable Pool pool,
      long byteSize)
      throws ErrnoException {
    super("/memfd:" + name + " (deleted)");
    this.process = process;
    this.memory = memory;
    this.pool = pool;
    this.byteSize = byteSize;
    long rounded = roundUp(Math.max(byteSize, 1));
    this.whole = memory.map(0, rounded, pageSize(), false, arena);
    this.physical = process.memory().newPhysical(whole, pageSize());
  }

  /** Makes one and its descriptor, as {@link Kernel#memoryFile} says. */
  public static int create(HostProcess process, String name, int flags, long byteSize) {
    boolean huge = (flags & Kernel.MFD_HUGETLB) != 0;
    if ((flags & ~(MFD_FLAGS | (huge ? MFD_HUGE_FLAGS : 0))) != 0 || name.length() > LONGEST_NAME) {
      return Errno.EINVAL.result();
    }
    var pool = huge ? process.hugePages().chosenBy(flags) : null;
    if (huge && pool == null) {
      return Errno.ENODEV.result();
    }
    int fd = process.files().lowestFree();
    if (fd < 0) {
      return fd;
    }
    if (byteSize < 0 || (pool != null && byteSize % pool.pageSize() != 0)) {
      return Errno.EINVAL.result();
    }
    if (!SharedMemory.isAvailable()) {
      return Errno.ENOMEM.result();
    }
    try {
      var memory = SharedMemory.allocate(byteSize);
      try {
        return process.files().install(fd, new MemoryFile(process, name, memory, pool, byteSize));
      } catch (ErrnoException e) {
        memory.close();
        return e.errno().result();
      }
    } catch (ErrnoException e) {
      return e.errno().result();
    }
  }

  private long pageSize() {
    return pool == null ? process.pageSize() : pool.pageSize();
  }

  private long roundUp(long size) {
    return pool == null ? process.memory().roundUp(size) : pool.roundUp(size);
  }

  @Override
  public long pread(MemorySegment target, long offset) {
    long count = Math.min(target.byteSize(), byteSize - offset);
    if (count <= 0) {
      return 0;
    }
    target.copyFrom(whole.asSlice(offset, count));
    return count;
  }

  /** Huge pages are for mapping only. */
  @Override
  public long pwrite(MemorySegment source, long offset) {
    if (pool != null) {
      return Errno.EINVAL.result();
    }
    long count = Math.min(source.byteSize(), byteSize - offset);
    if (count <= 0) {
      return source.byteSize() == 0 ? 0 : Errno.ENOSPC.result();
    }
    MemorySegment.copy(source, 0, whole, offset, count);
    return count;
  }

  @Override
  public long mmap(long size, int protection, int flags, long offset) {
    boolean copied = (flags & Kernel.MAP_PRIVATE) != 0;
    if ((pool == null && (flags & Kernel.MAP_HUGETLB) != 0) || offset % pageSize() != 0) {
      return Errno.EINVAL.result();
    }
    long length = roundUp(size);
    if (!take(offset, length, copied)) {
      return Errno.ENOMEM.result();
    }
    var lifetime = Arena.ofShared();
    MemorySegment pages;
    try {
      pages = memory.map(offset, length, pageSize(), copied, lifetime);
    } catch (ErrnoException e) {
      lifetime.close();
      giveCopied(length, copied);
      return e.errno().result();
    }
    retain();
    var own = copied ? process.memory().newPhysical(pages, pageSize()) : null;
    long present = Math.clamp(roundUp(byteSize) - offset, 0, length);
    var backing =
        new Backing(
            lifetime,
            pages,
            pageSize(),
            present,
            own == null ? physical : own,
            own == null ? offset : 0,
            copied);
    return process
        .memory()
        .map(
            backing,
            protection,
            () -> {
              giveCopied(length, copied);
              if (own != null) {
                process.memory().endPhysical(own);
              }
              drop();
            });
  }

  /** Takes huge pages: for a copy of its own, or those that the file lacks. */
  private boolean take(long offset, long length, boolean copied) {
    if (pool == null) {
      return true;
    }
    if (copied) {
      return pool.take(length / pool.pageSize());
    }
    if (offset + length > byteSize) {
      return false;
    }
    int first = (int) (offset / pool.pageSize());
    int end = (int) ((offset + length) / pool.pageSize());
    int present = taken.get(first, end).cardinality();
    if (!pool.take(end - first - present)) {
      return false;
    }
    taken.set(first, end);
    return true;
  }

  private void giveCopied(long length, boolean copied) {
    if (pool != null && copied) {
      pool.give(length / pool.pageSize());
    }
  }

  @Override
  protected void release() {
    if (pool != null) {
      pool.give(taken.cardinality());
    }
    process.memory().endPhysical(physical);
    arena.close();
    memory.close();
  }
}
