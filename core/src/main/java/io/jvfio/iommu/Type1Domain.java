// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.DmaWindow;
import io.jvfio.IommuType;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.InfoCapability;
import io.jvfio.kernel.MalformedInfoException;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioBitmap;
import io.jvfio.linux.uapi.VfioIommuType1DirtyBitmap;
import io.jvfio.linux.uapi.VfioIommuType1DirtyBitmapGet;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import io.jvfio.linux.uapi.VfioIommuType1InfoCapIovaRange;
import io.jvfio.linux.uapi.VfioIommuType1InfoCapMigration;
import io.jvfio.linux.uapi.VfioIommuType1InfoDmaAvail;
import io.jvfio.linux.uapi.VfioIovaRange;
import io.jvfio.spi.Explanation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Type1 and Type1v2: valid ranges around reserved holes, and a limited number of mappings. Source:
 * {@code drivers/vfio/vfio_iommu_type1.c}.
 */
public final class Type1Domain extends ContainerDomain {
  private static final long LARGEST_INFO = 1 << 20;

  /** Kernels before 5.10 do not tell how many mappings there may be; this is their default. */
  private static final long ENTRY_LIMIT_WHEN_UNTOLD = 65_535;

  /**
   * Kernels before 5.4 do not tell the ranges: what the narrowest IOMMUs have, without x86's
   * interrupt addresses.
   */
  private static final List<long[]> RANGES_WHEN_UNTOLD =
      List.of(new long[] {0, 0xfedf_ffffL}, new long[] {0xfef0_0000L, (1L << 39) - 1});

  private long entryLimit = ENTRY_LIMIT_WHEN_UNTOLD;

  /** 0 where the kernel does not tell of dirty tracking. */
  private long dirtyPageSize;

  public Type1Domain(IommuType type, OpenContainer container) {
    super(type, Locking.BY_MAPPING, container);
  }

  @Override
  public void describe() throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var info = getInfo(arena);
      int flags = VfioIommuType1Info.FLAGS.get(info);
      long pageSizes = VfioIommuType1Info.IOVA_PGSIZES.get(info);
      if ((flags & Vfio.VFIO_IOMMU_INFO_PGSIZES) == 0 || pageSizes == 0) {
        throw senseless("no page sizes");
      }
      long pageSize = Long.lowestOneBit(pageSizes);
      boolean told = false;
      if ((flags & Vfio.VFIO_IOMMU_INFO_CAPS) != 0) {
        for (var capability : InfoCapability.chain(info, VfioIommuType1Info.CAP_OFFSET.get(info))) {
          switch (capability.id()) {
            case Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE -> {
              addRanges(capability.content(), pageSize);
              told = true;
            }
            case Vfio.VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL ->
                entryLimit =
                    Integer.toUnsignedLong(
                        VfioIommuType1InfoDmaAvail.AVAIL.get(
                            capability.require(VfioIommuType1InfoDmaAvail.BYTES)));
            case Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION ->
                dirtyPageSize =
                    Long.lowestOneBit(
                        VfioIommuType1InfoCapMigration.PGSIZE_BITMAP.get(
                            capability.require(VfioIommuType1InfoCapMigration.BYTES)));
            default -> {} // newer kernels tell more, which nothing here depends on
          }
        }
      }
      if (!told) {
        RANGES_WHEN_UNTOLD.forEach(
            range -> windows().add(new DmaWindow(range[0], range[1], pageSize)));
      }
    } catch (MalformedInfoException e) {
      var refusal = senseless(e.what());
      refusal.initCause(e);
      throw refusal;
    }
    if (windows().isEmpty()) {
      throw senseless("no valid IOVA range");
    }
  }

  private MemorySegment getInfo(Arena arena) throws Refusal {
    var info = VfioIommuType1Info.STRUCT.allocate(arena);
    ask(info);
    long needed = Integer.toUnsignedLong(VfioIommuType1Info.ARGSZ.get(info));
    if (needed <= info.byteSize()) {
      return info;
    }
    if (needed > LARGEST_INFO) {
      throw senseless("an information block of %,d bytes".formatted(needed));
    }
    var whole = arena.allocate(needed, Layouts.U64.byteAlignment());
    VfioIommuType1Info.ARGSZ.set(whole, (int) needed);
    ask(whole);
    return whole;
  }

  private void ask(MemorySegment info) throws Refusal {
    int result = file().ioctl(Vfio.VFIO_IOMMU_GET_INFO, info);
    if (result < 0) {
      throw Refusal.answered(
          Vfio.VFIO_IOMMU_GET_INFO,
          result,
          Explanations.senselessDescription("no description at all"));
    }
  }

  private void addRanges(MemorySegment capability, long pageSize) throws MalformedInfoException {
    int count = VfioIommuType1InfoCapIovaRange.NR_IOVAS.get(capability);
    long room =
        (capability.byteSize() - VfioIommuType1InfoCapIovaRange.BYTES) / VfioIovaRange.BYTES;
    if (count < 0 || count > room) {
      throw new MalformedInfoException(
          "more IOVA ranges (" + Integer.toUnsignedString(count) + ") than were told");
    }
    for (int i = 0; i < count; i++) {
      var range =
          capability.asSlice(
              VfioIommuType1InfoCapIovaRange.BYTES + i * VfioIovaRange.BYTES, VfioIovaRange.BYTES);
      long start = VfioIovaRange.START.get(range);
      long end = VfioIovaRange.END.get(range);
      if (Long.compareUnsigned(start, end) > 0) {
        throw new MalformedInfoException("an IOVA range from 0x%x to 0x%x".formatted(start, end));
      }
      windows().add(new DmaWindow(start, end, pageSize));
    }
  }

  private static Refusal senseless(String what) {
    return Refusal.notAsked(
        Vfio.VFIO_IOMMU_GET_INFO.name(), Explanations.senselessDescription(what));
  }

  @Override
  public void enable() {
    // Type1 maps without any preparation
  }

  @Override
  public EntryLimit entryLimit() {
    return new EntryLimit(
        entryLimit,
        "Map larger pieces, or load vfio_iommu_type1 with a larger dma_entry_limit (echo N >"
            + " /sys/module/vfio_iommu_type1/parameters/dma_entry_limit, for containers opened later).");
  }

  @Override
  public void unmap(long iova, long byteSize) throws Refusal {
    int result = unmapDma(iova, byteSize, 0);
    if (result < 0 || unmappedBytes() != byteSize) {
      throw Refusal.answered(
          Vfio.VFIO_IOMMU_UNMAP_DMA,
          result,
          result < 0
              ? Explanations.unexpected()
              : new Explanation(
                  "The kernel unmapped %,d bytes of %,d.".formatted(unmappedBytes(), byteSize),
                  "The rest stays mapped until the group leaves its container."));
    }
  }

  @Override
  public boolean unmapAll() throws Refusal {
    if (file().ioctl(Vfio.VFIO_CHECK_EXTENSION, Vfio.VFIO_UNMAP_ALL) <= 0) {
      return false;
    }
    int result = unmapDma(0, 0, Vfio.VFIO_DMA_UNMAP_FLAG_ALL);
    if (result != 0) {
      throw refusal(Vfio.VFIO_IOMMU_UNMAP_DMA, result, _ -> Explanations.unexpected());
    }
    return true;
  }

  @Override
  public boolean exchange(long address, long other, long iova, long byteSize) throws Refusal {
    if (file().ioctl(Vfio.VFIO_CHECK_EXTENSION, Vfio.VFIO_UPDATE_VADDR) <= 0) {
      return false;
    }
    int taken = unmapDma(iova, byteSize, Vfio.VFIO_DMA_UNMAP_FLAG_VADDR);
    if (taken != 0) {
      throw refusal(
          Vfio.VFIO_IOMMU_UNMAP_DMA,
          taken,
          _ ->
              new Explanation(
                  "The kernel does not let go of the memory's address, such as with a mediated device.",
                  "Unmap it and map the other memory."));
    }
    int given = mapDma(other, iova, byteSize, Vfio.VFIO_DMA_MAP_FLAG_VADDR);
    if (given != 0) {
      var refusal = refusal(Vfio.VFIO_IOMMU_MAP_DMA, given, _ -> Explanations.unexpected());
      int back = mapDma(address, iova, byteSize, Vfio.VFIO_DMA_MAP_FLAG_VADDR);
      if (back != 0) {
        refusal.addSuppressed(
            refusal(Vfio.VFIO_IOMMU_MAP_DMA, back, _ -> Explanations.unexpected()));
      }
      throw refusal;
    }
    return true;
  }

  @Override
  public void trackDirtyPages(boolean on) throws Refusal {
    if (type() != IommuType.TYPE1V2 || dirtyPageSize == 0) {
      super.trackDirtyPages(on);
    }
    try (var arena = Arena.ofConfined()) {
      var dirty = VfioIommuType1DirtyBitmap.STRUCT.allocate(arena);
      VfioIommuType1DirtyBitmap.FLAGS.set(
          dirty,
          on ? Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_START : Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
      call(
          Vfio.VFIO_IOMMU_DIRTY_PAGES,
          dirty,
          errno ->
              errno.equals(Errno.ENOTTY)
                  ? new Explanation(
                      "This container is iommufd's imitation, which has no dirty tracking.",
                      "Use IOMMU type iommufd.")
                  : Explanations.unexpected());
    }
  }

  @Override
  public long dirtyPageSize() {
    return dirtyPageSize;
  }

  @Override
  public void readDirtyPages(long iova, long byteSize, MemorySegment bitmap) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var head = VfioIommuType1DirtyBitmap.BYTES;
      var dirty = arena.allocate(head + VfioIommuType1DirtyBitmapGet.BYTES, 8);
      VfioIommuType1DirtyBitmap.ARGSZ.set(dirty, (int) dirty.byteSize());
      VfioIommuType1DirtyBitmap.FLAGS.set(dirty, Vfio.VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP);
      var get = dirty.asSlice(head);
      VfioIommuType1DirtyBitmapGet.IOVA.set(get, iova);
      VfioIommuType1DirtyBitmapGet.SIZE.set(get, byteSize);
      var where = get.asSlice(VfioIommuType1DirtyBitmapGet.BYTES - VfioBitmap.BYTES);
      VfioBitmap.PGSIZE.set(where, dirtyPageSize);
      VfioBitmap.SIZE.set(where, bitmap.byteSize());
      VfioBitmap.DATA.set(where, bitmap.address());
      call(Vfio.VFIO_IOMMU_DIRTY_PAGES, dirty, _ -> Explanations.unexpected());
    }
  }
}
