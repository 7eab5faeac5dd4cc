// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_MAP_FLAG_READ;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_MAP_FLAG_VADDR;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_MAP_FLAG_WRITE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_UNMAP_FLAG_ALL;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DMA_UNMAP_FLAG_VADDR;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_INFO_CAPS;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_INFO_PGSIZES;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL;
import static io.jvfio.linux.uapi.Vfio.VFIO_UPDATE_VADDR;
import static io.jvfio.sim.iommu.IovaRanges.wraps;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.VfioBitmap;
import io.jvfio.linux.uapi.VfioIommuType1DirtyBitmap;
import io.jvfio.linux.uapi.VfioIommuType1DirtyBitmapGet;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.memory.CapabilityChain;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.IommuPlatform;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A Type1 container, version 1 or 2, as Linux 6.12 has it. Its mappings are {@link Type1Mappings}.
 * Source: {@code drivers/vfio/vfio_iommu_type1.c}.
 */
final class Type1Iommu implements Iommu {
  private static final int UNMAP_FLAGS =
      VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_VADDR;
  private static final int DIRTY_FLAGS =
      VFIO_IOMMU_DIRTY_PAGES_FLAG_START
          | VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP
          | VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;

  /** The end of a process's addresses, beyond which none is even tried. */
  private static final long USER_END = 1L << 47;

  private static final int INFO_MINIMUM = 16;
  private static final long MAX_DIRTY_BITMAP = 256 << 20;

  private final HostProcess process;
  private final Type1Driver driver;
  private final IommuPlatform.Paging platform;
  private final boolean v2;
  private final boolean nesting;
  private final Deque<IommuGroup> groups = new ArrayDeque<>();
  private final Type1Mappings mappings;
  private IovaRanges ranges;
  private boolean tracksDirtyPages;

  Type1Iommu(
      HostProcess process,
      Type1Driver driver,
      IommuPlatform.Paging platform,
      boolean v2,
      boolean nesting) {
    this.process = process;
    this.driver = driver;
    this.v2 = v2;
    this.nesting = nesting;
    this.platform = platform;
    this.mappings = new Type1Mappings(process, v2);
    this.ranges = new IovaRanges(platform.lastIova(), groups);
  }

  @Override
  public int checkExtension(long extension) {
    return extension == VFIO_UPDATE_VADDR ? 1 : driver.checkExtension(extension);
  }

  @Override
  public int attach(IommuGroup group) {
    if (mappings.hasInvalidAddresses()) {
      return Errno.EBUSY.result();
    }
    if (groups.contains(group)) {
      return Errno.EINVAL.result();
    }
    if (nesting) {
      return platform.nestingError().result();
    }
    groups.push(group);
    var narrowed = new IovaRanges(platform.lastIova(), groups);
    int error = 0;
    if (!mappings.areIn(narrowed)) {
      error = Errno.EINVAL.result();
    } else if (!process.settings().interruptsIsolated) {
      error = Errno.EPERM.result();
    }
    if (error != 0) {
      groups.pop();
      return error;
    }
    ranges = narrowed;
    return 0;
  }

  @Override
  public void detach(IommuGroup group) {
    groups.remove(group);
    ranges = new IovaRanges(platform.lastIova(), groups);
  }

  @Override
  public void release() {
    mappings.clear();
  }

  @Override
  public long mappedBytes() {
    return mappings.bytes();
  }

  @Override
  public MemorySegment reach(long iova, long byteSize, boolean write) throws DmaBlocked {
    return mappings.reach(iova, byteSize, write);
  }

  @Override
  public int ioctl(int command, UserArgument argument) throws UserFault {
    return switch (command) {
      case VfioCommand.IOMMU_GET_INFO -> info(argument);
      case VfioCommand.IOMMU_MAP_DMA -> map(argument);
      case VfioCommand.IOMMU_UNMAP_DMA -> unmap(argument);
      case VfioCommand.TYPE1_DIRTY_PAGES -> dirtyPages(argument);
      default -> Errno.ENOTTY.result();
    };
  }

  /** Sizes below the processor's page are hidden: nothing smaller is ever pinned. */
  private long pageSizes() {
    long pageSize = process.pageSize();
    long sizes = platform.pageSizes();
    return (sizes & pageSize - 1) == 0 ? sizes : (sizes & -pageSize) | pageSize;
  }

  private long smallestPage() {
    return Long.lowestOneBit(pageSizes());
  }

  private int info(UserArgument argument) throws UserFault {
    var info = argument.copyIn(INFO_MINIMUM, VfioIommuType1Info.BYTES);
    long argsz = Integer.toUnsignedLong(VfioIommuType1Info.ARGSZ.get(info));
    if (argsz < INFO_MINIMUM) {
      return Errno.EINVAL.result();
    }
    VfioIommuType1Info.FLAGS.set(info, VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
    VfioIommuType1Info.IOVA_PGSIZES.set(info, pageSizes());
    var chain = capabilities();
    if (argsz < chain.end()) {
      VfioIommuType1Info.ARGSZ.set(info, (int) chain.end());
    } else {
      chain.copyOut(argument);
      VfioIommuType1Info.CAP_OFFSET.set(info, (int) VfioIommuType1Info.BYTES);
    }
    argument.copyOut(0, info, Math.min(argsz, VfioIommuType1Info.BYTES));
    return 0;
  }

  private CapabilityChain capabilities() {
    var chain = new CapabilityChain(VfioIommuType1Info.BYTES);
    var migration = chain.add(VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 1, 32);
    migration.set(Layouts.U64, 16, smallestPage());
    migration.set(Layouts.U64, 24, MAX_DIRTY_BITMAP);
    var available = chain.add(VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, 12);
    available.set(Layouts.U32, 8, mappings.available());
    IovaRanges.addTo(chain, ranges.list());
    return chain;
  }

  private int map(UserArgument argument) throws UserFault {
    var map = argument.copyIn(VfioIommuType1DmaMap.BYTES);
    int flags = VfioIommuType1DmaMap.FLAGS.get(map);
    boolean read = (flags & VFIO_DMA_MAP_FLAG_READ) != 0;
    boolean write = (flags & VFIO_DMA_MAP_FLAG_WRITE) != 0;
    boolean setsAddress = (flags & VFIO_DMA_MAP_FLAG_VADDR) != 0;
    long iova = VfioIommuType1DmaMap.IOVA.get(map);
    long vaddr = VfioIommuType1DmaMap.VADDR.get(map);
    long size = VfioIommuType1DmaMap.SIZE.get(map);
    if (UserArgument.isShort(VfioIommuType1DmaMap.ARGSZ.get(map), VfioIommuType1DmaMap.BYTES)
        || (flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE | VFIO_DMA_MAP_FLAG_VADDR))
            != 0
        || (read || write) == setsAddress
        || size == 0
        || ((size | iova | vaddr) & smallestPage() - 1) != 0
        || wraps(iova, size)
        || wraps(vaddr, size)) {
      return Errno.EINVAL.result();
    }
    if (setsAddress) {
      return mappings.setAddress(iova, vaddr, size);
    }
    return mappings.map(ranges, iova, vaddr, size, read, write);
  }

  private int unmap(UserArgument argument) throws UserFault {
    var unmap = argument.copyIn(VfioIommuType1DmaUnmap.BYTES);
    int flags = VfioIommuType1DmaUnmap.FLAGS.get(unmap);
    boolean all = (flags & VFIO_DMA_UNMAP_FLAG_ALL) != 0;
    boolean invalidates = (flags & VFIO_DMA_UNMAP_FLAG_VADDR) != 0;
    boolean wantsDirtyPages = (flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) != 0;
    long argsz = Integer.toUnsignedLong(VfioIommuType1DmaUnmap.ARGSZ.get(unmap));
    long iova = VfioIommuType1DmaUnmap.IOVA.get(unmap);
    long size = VfioIommuType1DmaUnmap.SIZE.get(unmap);
    if (argsz < VfioIommuType1DmaUnmap.BYTES
        || (flags & ~UNMAP_FLAGS) != 0
        || (wantsDirtyPages && (all || invalidates))) {
      return Errno.EINVAL.result();
    }
    var bitmap = MemorySegment.NULL;
    if (wantsDirtyPages) {
      if (argsz < VfioIommuType1DmaUnmap.BYTES + VfioBitmap.BYTES) {
        return Errno.EINVAL.result();
      }
      var struct =
          argument
              .copyIn(VfioIommuType1DmaUnmap.BYTES + VfioBitmap.BYTES, 0)
              .asSlice(VfioIommuType1DmaUnmap.BYTES);
      if (!tracksDirtyPages || isBadRange(iova, size) || isBadBitmap(struct, size)) {
        return Errno.EINVAL.result();
      }
      bitmap = userBitmap(struct);
    }
    if (all ? iova != 0 || size != 0 : isBadRange(iova, size)) {
      return Errno.EINVAL.result();
    }
    long last = all ? -1 : iova + size - 1;
    if (v2 && !all && mappings.bisects(iova, last)) {
      return Errno.EINVAL.result();
    }
    long removed;
    if (!all && last == -1) {
      removed = 0; // the range's end is 0 to the kernel, so that nothing begins before it
    } else if (invalidates) {
      removed = mappings.invalidateAddresses(iova, last);
    } else if (wantsDirtyPages) {
      removed = mappings.unmapDirty(iova, last, bitmap, smallestPage());
    } else {
      removed = mappings.unmap(iova, last);
    }
    if (removed < 0) {
      return (int) removed;
    }
    VfioIommuType1DmaUnmap.SIZE.set(unmap, removed);
    argument.copyOut(0, unmap, VfioIommuType1DmaUnmap.BYTES);
    return 0;
  }

  private boolean isBadRange(long iova, long size) {
    return size == 0 || ((iova | size) & smallestPage() - 1) != 0 || wraps(iova, size);
  }

  /** Whether a bitmap is not one for {@code size} bytes: its page, its size, where it is. */
  private boolean isBadBitmap(MemorySegment bitmap, long size) {
    long data = VfioBitmap.DATA.get(bitmap);
    long bytes = VfioBitmap.SIZE.get(bitmap);
    return VfioBitmap.PGSIZE.get(bitmap) != smallestPage()
        || bytes <= 0
        || bytes > MAX_DIRTY_BITMAP
        || data < 0
        || data + bytes > USER_END
        || Long.compareUnsigned(bytes, DirtyBitmap.bytesFor(size / smallestPage())) < 0;
  }

  private int dirtyPages(UserArgument argument) throws UserFault {
    if (!v2) {
      return Errno.EACCES.result();
    }
    var dirty = argument.copyIn(VfioIommuType1DirtyBitmap.BYTES);
    int flags = VfioIommuType1DirtyBitmap.FLAGS.get(dirty);
    if (UserArgument.isShort(
            VfioIommuType1DirtyBitmap.ARGSZ.get(dirty), VfioIommuType1DirtyBitmap.BYTES)
        || (flags & ~DIRTY_FLAGS) != 0
        || Integer.bitCount(flags) != 1) {
      return Errno.EINVAL.result();
    }
    if (flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP) {
      return dirtyBitmap(argument, VfioIommuType1DirtyBitmap.ARGSZ.get(dirty));
    }
    boolean starts = flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
    if (starts != tracksDirtyPages) {
      tracksDirtyPages = starts;
      mappings.forgetDirtyPages();
    }
    return 0;
  }

  private int dirtyBitmap(UserArgument argument, int argsz) throws UserFault {
    long end = VfioIommuType1DirtyBitmap.BYTES + VfioIommuType1DirtyBitmapGet.BYTES;
    if (UserArgument.isShort(argsz, end)) {
      return Errno.EINVAL.result();
    }
    var get = argument.copyIn(end).asSlice(VfioIommuType1DirtyBitmap.BYTES);
    long iova = VfioIommuType1DirtyBitmapGet.IOVA.get(get);
    long size = VfioIommuType1DirtyBitmapGet.SIZE.get(get);
    var bitmap = get.asSlice(VfioIommuType1DirtyBitmapGet.BYTES - VfioBitmap.BYTES);
    if (Long.compareUnsigned(iova + size, iova) < 0
        || isBadRange(iova, size)
        || isBadBitmap(bitmap, size)
        || !tracksDirtyPages
        || mappings.bisects(iova, iova + size - 1)) {
      return Errno.EINVAL.result();
    }
    mappings.copyDirtyPages(iova, iova + size - 1, userBitmap(bitmap), smallestPage());
    return 0;
  }

  private MemorySegment userBitmap(MemorySegment struct) {
    return process
        .memory()
        .userPart(VfioBitmap.DATA.get(struct), VfioBitmap.SIZE.get(struct), true);
  }
}
