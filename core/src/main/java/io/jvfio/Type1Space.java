package io.jvfio;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.linux.uapi.VfioIommuType1DmaUnmap;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import io.jvfio.linux.uapi.VfioIovaRange;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Type1 and Type1v2: valid ranges around reserved holes. Source: {@code
 * drivers/vfio/vfio_iommu_type1.c}.
 */
final class Type1Space extends IovaSpace {
  private static final long RANGE_COUNT_OFFSET = 8;
  private static final long RANGES_OFFSET = 16;
  private static final long LARGEST_INFO = 1 << 20;

  /**
   * Kernels before 5.4 do not tell the ranges: what the narrowest IOMMUs have, without x86's
   * interrupt addresses.
   */
  private static final List<long[]> RANGES_WHEN_UNTOLD =
      List.of(new long[] {0, 0xfedf_ffffL}, new long[] {0xfef0_0000L, (1L << 39) - 1});

  Type1Space(IommuType type, OpenContainer container) {
    super(type, container);
  }

  @Override
  void describe() throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var info = getInfo(arena);
      int flags = VfioIommuType1Info.flags(info);
      long pageSizes = VfioIommuType1Info.iovaPgsizes(info);
      if ((flags & Vfio.VFIO_IOMMU_INFO_PGSIZES) == 0 || pageSizes == 0) {
        throw senseless("no page sizes");
      }
      long pageSize = Long.lowestOneBit(pageSizes);
      boolean told = false;
      if ((flags & Vfio.VFIO_IOMMU_INFO_CAPS) != 0) {
        for (var capability : InfoCapability.chain(info, VfioIommuType1Info.capOffset(info))) {
          if (capability.id() == Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) {
            addRanges(capability.content(), pageSize);
            told = true;
          }
        }
      }
      if (!told) {
        RANGES_WHEN_UNTOLD.forEach(range -> addWindow(new DmaWindow(range[0], range[1], pageSize)));
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
    var info = VfioIommuType1Info.allocate(arena);
    ask(info);
    long needed = Integer.toUnsignedLong(VfioIommuType1Info.argsz(info));
    if (needed <= info.byteSize()) {
      return info;
    }
    if (needed > LARGEST_INFO) {
      throw senseless("an information block of %,d bytes".formatted(needed));
    }
    var whole = arena.allocate(needed, Layouts.U64.byteAlignment());
    VfioIommuType1Info.argsz(whole, (int) needed);
    ask(whole);
    return whole;
  }

  private void ask(MemorySegment info) throws Refusal {
    int result = container().containerFile().ioctl(Vfio.VFIO_IOMMU_GET_INFO, info);
    if (result < 0) {
      throw Refusal.answered(
          Vfio.VFIO_IOMMU_GET_INFO,
          result,
          Explanations.senselessDescription("no description at all"));
    }
  }

  private void addRanges(MemorySegment capability, long pageSize) throws MalformedInfoException {
    int count = capability.get(Layouts.U32, RANGE_COUNT_OFFSET);
    if (count < 0 || count > (capability.byteSize() - RANGES_OFFSET) / VfioIovaRange.SIZE) {
      throw new MalformedInfoException(
          "more IOVA ranges (" + Integer.toUnsignedString(count) + ") than were told");
    }
    for (int i = 0; i < count; i++) {
      var range = capability.asSlice(RANGES_OFFSET + i * VfioIovaRange.SIZE, VfioIovaRange.SIZE);
      long start = VfioIovaRange.start(range);
      long end = VfioIovaRange.end(range);
      if (Long.compareUnsigned(start, end) > 0) {
        throw new MalformedInfoException("an IOVA range from 0x%x to 0x%x".formatted(start, end));
      }
      addWindow(new DmaWindow(start, end, pageSize));
    }
  }

  private static Refusal senseless(String what) {
    return Refusal.notAsked(
        Vfio.VFIO_IOMMU_GET_INFO.name(), Explanations.senselessDescription(what));
  }

  @Override
  void enable() {
    // Type1 maps without any preparation
  }

  @Override
  boolean grow(long byteSize) {
    return false; // the ranges are all there is
  }

  @Override
  void mapAt(long address, long iova, long byteSize) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var map = VfioIommuType1DmaMap.allocate(arena);
      VfioIommuType1DmaMap.flags(map, Vfio.VFIO_DMA_MAP_FLAG_READ | Vfio.VFIO_DMA_MAP_FLAG_WRITE);
      VfioIommuType1DmaMap.vaddr(map, address);
      VfioIommuType1DmaMap.iova(map, iova);
      VfioIommuType1DmaMap.size(map, byteSize);
      int result = container().containerFile().ioctl(Vfio.VFIO_IOMMU_MAP_DMA, map);
      if (result < 0) {
        throw Refusal.answered(
            Vfio.VFIO_IOMMU_MAP_DMA,
            result,
            explanations().memory(Errno.ofResult(result), byteSize, "a mapping of this size"));
      }
    }
  }

  @Override
  void unmapAt(long address, long iova, long byteSize) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var unmap = VfioIommuType1DmaUnmap.allocate(arena);
      VfioIommuType1DmaUnmap.iova(unmap, iova);
      VfioIommuType1DmaUnmap.size(unmap, byteSize);
      int result = container().containerFile().ioctl(Vfio.VFIO_IOMMU_UNMAP_DMA, unmap);
      long unmapped = VfioIommuType1DmaUnmap.size(unmap);
      if (result < 0 || unmapped != byteSize) {
        throw Refusal.answered(
            Vfio.VFIO_IOMMU_UNMAP_DMA,
            result,
            result < 0
                ? Explanations.unexpected()
                : new Explanation(
                    "The kernel unmapped %,d bytes of %,d.".formatted(unmapped, byteSize),
                    "The rest stays mapped until the group leaves its container."));
      }
    }
  }
}
