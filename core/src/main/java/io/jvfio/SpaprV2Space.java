package io.jvfio;

import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuSpaprRegisterMemory;
import io.jvfio.linux.uapi.VfioIommuSpaprTceCreate;
import io.jvfio.linux.uapi.VfioIommuSpaprTceInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * sPAPR TCE version 2: memory is registered before it is mapped, and a second window can be
 * created.
 *
 * <p>UNREGISTER of memory that is still mapped "succeeds" and leaks its pins for good, so unmapping
 * always comes first, and registration and mapping of a buffer go together.
 */
final class SpaprV2Space extends SpaprSpace {
  /**
   * What GET_INFO tells as the number of windows where the hypervisor has no call to create one.
   */
  private static final int NO_DYNAMIC_WINDOWS = -1;

  /** A container has two slots for windows. */
  private static final int SLOTS = 2;

  private int maxWindows;
  private int levels;
  private long pageSizes;

  SpaprV2Space(OpenContainer container) {
    super(IommuType.SPAPR_TCE_V2, container);
  }

  @Override
  void accept(MemorySegment info) throws Refusal {
    if ((VfioIommuSpaprTceInfo.flags(info) & Vfio.VFIO_IOMMU_SPAPR_INFO_DDW) == 0) {
      return;
    }
    maxWindows = VfioIommuSpaprTceInfo.maxDynamicWindowsSupported(info);
    levels = VfioIommuSpaprTceInfo.levels(info);
    pageSizes = VfioIommuSpaprTceInfo.pgsizes(info);
    if (maxWindows == NO_DYNAMIC_WINDOWS && levels == 0) {
      throw Refusal.notAsked(
          Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO.name(), explanations().noDynamicWindows());
    }
  }

  @Override
  void enable() {
    // the first registration allows mapping
  }

  /**
   * Creates the second window, of the largest IOMMU page that a page of memory can back. Nothing is
   * asked that is known to fail: on pSeries a failed creation takes the device's windows away until
   * the next boot.
   */
  @Override
  boolean grow(long byteSize) throws Refusal {
    if (maxWindows < SLOTS || levels < 1 || windows().size() >= SLOTS || byteSize > 1L << 62) {
      return false;
    }
    long pageSize =
        Long.highestOneBit(pageSizes & (kernel().pageSize() | (kernel().pageSize() - 1)));
    if (pageSize == 0) {
      return false;
    }
    long windowSize = byteSize == 1 ? 1 : Long.highestOneBit(byteSize - 1) << 1;
    windowSize =
        Math.max(windowSize, pageSize)
            << 1; // room for alignment, and for more than this one buffer
    int pageShift = Long.numberOfTrailingZeros(pageSize);
    try (var arena = Arena.ofConfined()) {
      var create = VfioIommuSpaprTceCreate.allocate(arena);
      VfioIommuSpaprTceCreate.pageShift(create, pageShift);
      VfioIommuSpaprTceCreate.windowSize(create, windowSize);
      VfioIommuSpaprTceCreate.levels(create, levelsFor(windowSize >>> pageShift));
      long tableSize = windowSize >>> pageShift << 3;
      call(
          Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE,
          create,
          errno -> explanations().memory(errno, tableSize, "the table of a second DMA window"));
      long start = VfioIommuSpaprTceCreate.startAddr(create);
      addWindow(new DmaWindow(start, start + windowSize - 1, pageSize));
      return true;
    }
  }

  /** As few levels as keep each table of the tree within what the kernel allocates in one piece. */
  private int levelsFor(long entries) {
    int tableBits = Long.numberOfTrailingZeros(entries) + 3;
    int bitsPerLevel = Integer.numberOfTrailingZeros(kernel().pageSize()) + 8;
    return Math.clamp((tableBits + bitsPerLevel - 1) / bitsPerLevel, 1, levels);
  }

  @Override
  void mapAt(long address, long iova, long byteSize) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var memory = registration(arena, address, byteSize);
      call(
          Vfio.VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
          memory,
          errno -> explanations().memory(errno, byteSize, "registering memory of this size"));
      try {
        mapTces(address, iova, byteSize);
      } catch (Refusal refused) {
        try {
          unregister(memory);
        } catch (Refusal alsoRefused) {
          refused.addSuppressed(alsoRefused);
        }
        throw refused;
      }
    }
  }

  @Override
  void unmapAt(long address, long iova, long byteSize) throws Refusal {
    unmapTces(iova, byteSize);
    try (var arena = Arena.ofConfined()) {
      unregister(registration(arena, address, byteSize));
    }
  }

  private void unregister(MemorySegment memory) throws Refusal {
    call(Vfio.VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, memory, _ -> Explanations.unexpected());
  }

  private static MemorySegment registration(Arena arena, long address, long byteSize) {
    var memory = VfioIommuSpaprRegisterMemory.allocate(arena);
    VfioIommuSpaprRegisterMemory.vaddr(memory, address);
    VfioIommuSpaprRegisterMemory.size(memory, byteSize);
    return memory;
  }
}
