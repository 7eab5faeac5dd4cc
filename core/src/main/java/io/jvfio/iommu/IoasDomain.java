// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.DmaAccess;
import io.jvfio.DmaWindow;
import io.jvfio.IommuType;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.OpenFile;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.IommuDestroy;
import io.jvfio.linux.uapi.IommuHwInfo;
import io.jvfio.linux.uapi.IommuHwptAlloc;
import io.jvfio.linux.uapi.IommuHwptGetDirtyBitmap;
import io.jvfio.linux.uapi.IommuHwptSetDirtyTracking;
import io.jvfio.linux.uapi.IommuIoasAllowIovas;
import io.jvfio.linux.uapi.IommuIoasIovaRanges;
import io.jvfio.linux.uapi.IommuIoasMap;
import io.jvfio.linux.uapi.IommuIoasMapFile;
import io.jvfio.linux.uapi.IommuIoasUnmap;
import io.jvfio.linux.uapi.IommuIovaRange;
import io.jvfio.linux.uapi.IommuOption;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.spi.Explanation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The IOAS of an iommufd: valid ranges as of the devices attached, no limit on mappings. Source:
 * {@code drivers/iommu/iommufd/}.
 */
public final class IoasDomain extends IommuDomain {
  private static final int MOST_RANGES = 1 << 16;
  private static final int FIXED = Iommufd.IOMMU_IOAS_MAP_FIXED_IOVA;

  private final OpenIommufd iommufd;
  private final List<DmaWindow> windows = new ArrayList<>();

  // Filled anew for each call, so that mapping allocates nothing.
  private final MemorySegment map = IommuIoasMap.STRUCT.allocate(Arena.ofAuto());
  private final MemorySegment mapFile = IommuIoasMapFile.STRUCT.allocate(Arena.ofAuto());
  private final MemorySegment unmap = IommuIoasUnmap.STRUCT.allocate(Arena.ofAuto());

  /** What {@link #map} holds: a comparison is cheaper than the checks of an access. */
  private int mapFlags;

  /** Whether this kernel maps files; it is asked once. */
  private boolean mapsFiles = true;

  /** The page tables that track dirty pages, while tracking is on. */
  private final List<Integer> tracking = new ArrayList<>();

  public IoasDomain(OpenIommufd iommufd) {
    // It counts by user, over all of the user's processes.
    super(
        IommuType.IOMMUFD,
        Locking.BY_MAPPING_UNTOLD,
        iommufd.facts().kernel(),
        iommufd.explanations());
    this.iommufd = iommufd;
    IommuIoasMap.IOAS_ID.set(map, iommufd.ioas());
    IommuIoasMapFile.IOAS_ID.set(mapFile, iommufd.ioas());
    IommuIoasUnmap.IOAS_ID.set(unmap, iommufd.ioas());
  }

  @Override
  OpenFile file() {
    return iommufd.file();
  }

  @Override
  public List<DmaWindow> windows() {
    return windows;
  }

  @Override
  public void describe() throws Refusal {
    int count = 8;
    while (true) {
      try (var arena = Arena.ofConfined()) {
        var ranges = arena.allocate(IommuIovaRange.STRUCT.layout(), count);
        var ask = IommuIoasIovaRanges.STRUCT.allocate(arena);
        IommuIoasIovaRanges.IOAS_ID.set(ask, iommufd.ioas());
        IommuIoasIovaRanges.NUM_IOVAS.set(ask, count);
        IommuIoasIovaRanges.ALLOWED_IOVAS.set(ask, ranges.address());
        int result = file().ioctl(Iommufd.IOMMU_IOAS_IOVA_RANGES, ask);
        int told = IommuIoasIovaRanges.NUM_IOVAS.get(ask);
        if (result == Errno.EMSGSIZE.result() && told > count && told <= MOST_RANGES) {
          count = told;
          continue;
        }
        if (result != 0) {
          throw refusal(
              Iommufd.IOMMU_IOAS_IOVA_RANGES,
              result,
              _ -> Explanations.senselessDescription("no description at all"));
        }
        addRanges(ranges, told, count, IommuIoasIovaRanges.OUT_IOVA_ALIGNMENT.get(ask));
        return;
      }
    }
  }

  private void addRanges(MemorySegment ranges, int told, int room, long alignment) throws Refusal {
    if (told < 1 || told > room || Long.bitCount(alignment) != 1) {
      throw senseless(
          Integer.toUnsignedString(told)
              + " IOVA ranges of alignment "
              + Long.toUnsignedString(alignment));
    }
    long pageSize = Math.max(alignment, kernel().pageSize());
    for (int i = 0; i < told; i++) {
      var range = ranges.asSlice(i * IommuIovaRange.BYTES, IommuIovaRange.BYTES);
      long start = IommuIovaRange.START.get(range);
      long last = IommuIovaRange.LAST.get(range);
      if (Long.compareUnsigned(start, last) > 0) {
        throw senseless("an IOVA range from 0x%x to 0x%x".formatted(start, last));
      }
      windows.add(new DmaWindow(start, last, pageSize));
    }
  }

  private static Refusal senseless(String what) {
    return Refusal.notAsked(
        Iommufd.IOMMU_IOAS_IOVA_RANGES.name(), Explanations.senselessDescription(what));
  }

  @Override
  public void enable() {
    // attached devices reach what is mapped
  }

  @Override
  public void map(MemorySegment memory, long address, long iova, long byteSize, DmaAccess access)
      throws Refusal {
    int flags = FIXED | flags(access);
    if (flags != mapFlags) {
      IommuIoasMap.FLAGS.set(map, flags);
      mapFlags = flags;
    }
    IommuIoasMap.USER_VA.set(map, address);
    IommuIoasMap.LENGTH.set(map, byteSize);
    IommuIoasMap.IOVA.set(map, iova);
    int result = file().ioctl(Iommufd.IOMMU_IOAS_MAP, map);
    if (result != 0) {
      throw refusal(
          Iommufd.IOMMU_IOAS_MAP,
          result,
          errno -> explanations().memory(errno, byteSize, "a mapping of this size"));
    }
  }

  @Override
  public boolean mapFile(int fd, long address, long iova, long byteSize, DmaAccess access)
      throws Refusal {
    if (!mapsFiles) {
      return false;
    }
    IommuIoasMapFile.FLAGS.set(mapFile, FIXED | flags(access));
    IommuIoasMapFile.FD.set(mapFile, fd);
    IommuIoasMapFile.LENGTH.set(mapFile, byteSize);
    IommuIoasMapFile.IOVA.set(mapFile, iova);
    int result = file().ioctl(Iommufd.IOMMU_IOAS_MAP_FILE, mapFile);
    if (result == Errno.ENOTTY.result()) {
      mapsFiles = false; // before Linux 6.14
      return false;
    }
    if (result != 0) {
      throw refusal(
          Iommufd.IOMMU_IOAS_MAP_FILE,
          result,
          errno -> explanations().memory(errno, byteSize, "a mapping of this size"));
    }
    return true;
  }

  private static int flags(DmaAccess access) {
    return (access.isReadable() ? Iommufd.IOMMU_IOAS_MAP_READABLE : 0)
        | (access.isWritable() ? Iommufd.IOMMU_IOAS_MAP_WRITEABLE : 0);
  }

  @Override
  public void unmap(long iova, long byteSize) throws Refusal {
    IommuIoasUnmap.IOVA.set(unmap, iova);
    IommuIoasUnmap.LENGTH.set(unmap, byteSize);
    int result = file().ioctl(Iommufd.IOMMU_IOAS_UNMAP, unmap);
    if (result != 0) {
      throw refusal(Iommufd.IOMMU_IOAS_UNMAP, result, _ -> Explanations.unexpected());
    }
  }

  @Override
  public boolean unmapAll() throws Refusal {
    unmap(0, -1);
    return true;
  }

  /** Replaces the ranges that devices attached later may not take away. */
  public void allow(List<DmaWindow> ranges) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var list = arena.allocate(IommuIovaRange.STRUCT.layout(), Math.max(1, ranges.size()));
      for (int i = 0; i < ranges.size(); i++) {
        var entry = list.asSlice(i * IommuIovaRange.BYTES, IommuIovaRange.BYTES);
        IommuIovaRange.START.set(entry, ranges.get(i).start());
        IommuIovaRange.LAST.set(entry, ranges.get(i).last());
      }
      var allow = IommuIoasAllowIovas.STRUCT.allocate(arena);
      IommuIoasAllowIovas.IOAS_ID.set(allow, iommufd.ioas());
      IommuIoasAllowIovas.NUM_IOVAS.set(allow, ranges.size());
      IommuIoasAllowIovas.ALLOWED_IOVAS.set(allow, list.address());
      call(
          Iommufd.IOMMU_IOAS_ALLOW_IOVAS,
          allow,
          errno ->
              errno.equals(Errno.EADDRINUSE)
                  ? new Explanation(
                      "A device that is attached already reserves some of these addresses.",
                      "Keep ranges that DmaSpace.windows() has.")
                  : new Explanation("Two of the ranges overlap, or one is empty.", ""));
    }
  }

  /** Reads whether pages may be combined, or changes it. */
  public boolean option(boolean set, boolean value) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var option = IommuOption.STRUCT.allocate(arena);
      IommuOption.OPTION_ID.set(option, Iommufd.IOMMU_OPTION_HUGE_PAGES);
      IommuOption.OP.set(
          option, (short) (set ? Iommufd.IOMMU_OPTION_OP_SET : Iommufd.IOMMU_OPTION_OP_GET));
      IommuOption.OBJECT_ID.set(option, iommufd.ioas());
      IommuOption.VAL64.set(option, value ? 1 : 0);
      call(Iommufd.IOMMU_OPTION, option, _ -> Explanations.unexpected());
      return IommuOption.VAL64.get(option) != 0;
    }
  }

  @Override
  public void trackDirtyPages(boolean on) throws Refusal {
    if (on) {
      startTracking();
    } else {
      stopTracking();
    }
  }

  /**
   * Dirty tracking is a property of a page table, given at its birth: the devices move to new page
   * tables over the same IOAS, with DMA going on.
   */
  private void startTracking() throws Refusal {
    iommufd.isTracked(true);
    try {
      for (var device : iommufd.attached()) {
        requireDirtyTracking(device);
        int table = allocateTable(device);
        tracking.add(table);
        iommufd.attach(device, table);
        setTracking(table, true);
      }
    } catch (Refusal refusal) {
      try {
        stopTracking();
      } catch (Refusal another) {
        refusal.addSuppressed(another);
      }
      throw refusal;
    }
  }

  private void requireDirtyTracking(OpenIommufd.Bound device) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var info = IommuHwInfo.STRUCT.allocate(arena);
      IommuHwInfo.DEV_ID.set(info, device.deviceId);
      call(Iommufd.IOMMU_GET_HW_INFO, info, _ -> Explanations.unexpected());
      if ((IommuHwInfo.OUT_CAPABILITIES.get(info) & Iommufd.IOMMU_HW_CAP_DIRTY_TRACKING) == 0) {
        throw Refusal.notAsked(
            "track dirty pages",
            new Explanation(
                "The IOMMU of %s records no dirty pages.".formatted(device.address),
                "Take every page for written, or track in the device."));
      }
    }
  }

  private int allocateTable(OpenIommufd.Bound device) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var alloc = IommuHwptAlloc.STRUCT.allocate(arena);
      IommuHwptAlloc.FLAGS.set(alloc, Iommufd.IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
      IommuHwptAlloc.DEV_ID.set(alloc, device.deviceId);
      IommuHwptAlloc.PT_ID.set(alloc, iommufd.ioas());
      call(
          Iommufd.IOMMU_HWPT_ALLOC,
          alloc,
          errno -> explanations().memory(errno, 0, "a page table that tracks dirty pages"));
      return IommuHwptAlloc.OUT_HWPT_ID.get(alloc);
    }
  }

  private void setTracking(int table, boolean on) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var set = IommuHwptSetDirtyTracking.STRUCT.allocate(arena);
      IommuHwptSetDirtyTracking.FLAGS.set(set, on ? Iommufd.IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0);
      IommuHwptSetDirtyTracking.HWPT_ID.set(set, table);
      call(Iommufd.IOMMU_HWPT_SET_DIRTY_TRACKING, set, _ -> Explanations.unexpected());
    }
  }

  private void stopTracking() throws Refusal {
    for (var device : iommufd.attached()) {
      iommufd.attach(device, iommufd.ioas());
    }
    iommufd.isTracked(false);
    while (!tracking.isEmpty()) {
      try (var arena = Arena.ofConfined()) {
        var destroy = IommuDestroy.STRUCT.allocate(arena);
        IommuDestroy.ID.set(destroy, tracking.getLast());
        call(Iommufd.IOMMU_DESTROY, destroy, _ -> Explanations.unexpected());
        tracking.removeLast();
      }
    }
  }

  @Override
  public void readDirtyPages(long iova, long byteSize, MemorySegment bitmap) throws Refusal {
    for (int table : tracking) {
      try (var arena = Arena.ofConfined()) {
        var get = IommuHwptGetDirtyBitmap.STRUCT.allocate(arena);
        IommuHwptGetDirtyBitmap.HWPT_ID.set(get, table);
        IommuHwptGetDirtyBitmap.IOVA.set(get, iova);
        IommuHwptGetDirtyBitmap.LENGTH.set(get, byteSize);
        IommuHwptGetDirtyBitmap.PAGE_SIZE.set(get, dirtyPageSize());
        IommuHwptGetDirtyBitmap.DATA.set(get, bitmap.address());
        call(Iommufd.IOMMU_HWPT_GET_DIRTY_BITMAP, get, _ -> Explanations.unexpected());
      }
    }
  }
}
