// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.DmaWindow;
import io.jvfio.IommuType;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuSpaprRegisterMemory;
import io.jvfio.linux.uapi.VfioIommuSpaprTceCreate;
import io.jvfio.linux.uapi.VfioIommuSpaprTceInfo;
import io.jvfio.linux.uapi.VfioIommuSpaprTceRemove;
import io.jvfio.spi.Explanation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * sPAPR TCE version 2: memory is registered before it is mapped, and windows come and go.
 *
 * <p>UNREGISTER of memory that is still mapped "succeeds" and leaks its pins for good, so a
 * registration is counted and ends after the last mapping in it.
 */
public final class SpaprV2Domain extends SpaprDomain {
  /**
   * What GET_INFO tells as the number of windows where the hypervisor has no call to create one.
   */
  private static final int NO_DYNAMIC_WINDOWS = -1;

  /** A container has two slots for windows. */
  private static final int SLOTS = 2;

  private final HostFacts facts;
  private int maxWindows;
  private int levels;
  private long pageSizes;

  public SpaprV2Domain(OpenContainer container, HostFacts facts) {
    super(IommuType.SPAPR_TCE_V2, Locking.AHEAD, container);
    this.facts = facts;
  }

  @Override
  void accept(MemorySegment info) throws Refusal {
    if ((VfioIommuSpaprTceInfo.FLAGS.get(info) & Vfio.VFIO_IOMMU_SPAPR_INFO_DDW) == 0) {
      return;
    }
    maxWindows = VfioIommuSpaprTceInfo.MAX_DYNAMIC_WINDOWS_SUPPORTED.get(info);
    levels = VfioIommuSpaprTceInfo.LEVELS.get(info);
    pageSizes = VfioIommuSpaprTceInfo.PGSIZES.get(info);
    if (maxWindows == NO_DYNAMIC_WINDOWS && levels == 0) {
      throw Refusal.notAsked(
          Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO.name(), explanations().noDynamicWindows());
    }
  }

  @Override
  public void enable() {
    // the first registration allows mapping
  }

  /** Whether windows come and go. */
  public boolean hasDynamicWindows() {
    return maxWindows > 0 && levels > 0;
  }

  public int windowLimit() {
    return Math.clamp(maxWindows, 0, SLOTS);
  }

  public int levels() {
    return levels;
  }

  public long pageSizes() {
    return pageSizes;
  }

  /**
   * Creates a window. Nothing is asked that is known to fail: on pSeries a failed creation takes
   * the device's windows away until the next boot.
   */
  public DmaWindow createWindow(long byteSize, long pageSize) throws Refusal {
    if (windows().size() >= windowLimit()) {
      throw Refusal.notAsked(
          Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE.name(),
          new Explanation(
              "There can be %d windows here, and there are as many: %s."
                  .formatted(windowLimit(), windows()),
              "Remove one in which nothing is mapped, or replace the default window."));
    }
    if (Long.bitCount(pageSize) != 1 || (pageSizes & pageSize) == 0) {
      throw Refusal.notAsked(
          Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE.name(),
          new Explanation(
              "A window here has IOMMU pages of 0x%x (a bit for each size), not of 0x%x bytes."
                  .formatted(pageSizes, pageSize),
              "Choose one of those."));
    }
    if (explanations().facts().isPowerGuest()) {
      requireNoDynamicWindow();
    }
    long windowSize = windowSize(byteSize, pageSize);
    int pageShift = Long.numberOfTrailingZeros(pageSize);
    try (var arena = Arena.ofConfined()) {
      var create = VfioIommuSpaprTceCreate.STRUCT.allocate(arena);
      VfioIommuSpaprTceCreate.PAGE_SHIFT.set(create, pageShift);
      VfioIommuSpaprTceCreate.WINDOW_SIZE.set(create, windowSize);
      VfioIommuSpaprTceCreate.LEVELS.set(create, levelsFor(windowSize >>> pageShift));
      long tableSize = tableBytes(windowSize, pageSize);
      call(
          Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE,
          create,
          errno -> explanations().memory(errno, tableSize, "the table of a DMA window"));
      long start = VfioIommuSpaprTceCreate.START_ADDR.get(create);
      var window = new DmaWindow(start, start + windowSize - 1, pageSize);
      windows().add(window);
      return window;
    }
  }

  /**
   * Under a hypervisor there is room for one window beside the default one or in its place: it
   * never takes its default window back, and no other can be created while there is a dynamic one.
   * Source: {@code arch/powerpc/platforms/pseries/iommu.c}.
   */
  private void requireNoDynamicWindow() throws Refusal {
    for (var window : windows()) {
      if (!window.equals(defaultWindow())) {
        throw Refusal.notAsked(
            Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE.name(),
            new Explanation(
                ("The hypervisor has room for one dynamic window, which is %s; asking for another would take the"
                        + " device's DMA away until the next boot.")
                    .formatted(window),
                "Remove that window first."));
      }
    }
  }

  /** The size that a window for so many bytes has: a power of two of whole pages. */
  public static long windowSize(long byteSize, long pageSize) {
    return Math.max(byteSize <= 1 ? 1 : Long.highestOneBit(byteSize - 1) << 1, pageSize);
  }

  /**
   * What the table of a window takes of locked memory, in bytes. On bare metal that is a tree of
   * tables of one size, and a copy of it with the addresses that user space knows. Source: {@code
   * arch/powerpc/platforms/powernv/pci-ioda-tce.c}.
   */
  public long tableBytes(long windowSize, long pageSize) {
    long entries = windowSize / pageSize;
    if (!facts.isBareMetalPower()) {
      return entries * Long.BYTES;
    }
    int levelCount = levelsFor(entries);
    int entriesShift = Long.numberOfTrailingZeros(entries);
    long piece =
        Math.max(8L << ((entriesShift + levelCount - 1) / levelCount), kernel().pageSize());
    long bytes = 0;
    long level = entries * Long.BYTES;
    for (int i = 0; i < levelCount; i++) {
      bytes += (level + piece - 1) & -piece;
      level = Math.max(level / piece * Long.BYTES, piece);
    }
    return 2 * bytes;
  }

  /** As few levels as keep each table of the tree within what the kernel allocates in one piece. */
  private int levelsFor(long entries) {
    int tableBits = Long.numberOfTrailingZeros(entries) + 3;
    int bitsPerLevel = Integer.numberOfTrailingZeros(kernel().pageSize()) + 8;
    return Math.clamp((tableBits + bitsPerLevel - 1) / bitsPerLevel, 1, levels);
  }

  /** Removes a window of {@link #windows()}; nothing may be mapped in it. */
  public void removeWindow(DmaWindow window) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var remove = VfioIommuSpaprTceRemove.STRUCT.allocate(arena);
      VfioIommuSpaprTceRemove.START_ADDR.set(remove, window.start());
      call(Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE, remove, _ -> Explanations.unexpected());
      windows().remove(window);
    }
  }

  @Override
  void lock(long address, long byteSize) throws Refusal {
    register(Vfio.VFIO_IOMMU_SPAPR_REGISTER_MEMORY, address, byteSize);
  }

  @Override
  void unlock(long address, long byteSize) throws Refusal {
    if (file().isClosed()) {
      return; // its registrations ended with the container
    }
    register(Vfio.VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, address, byteSize);
  }

  private void register(Ioctl command, long address, long byteSize) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var memory = VfioIommuSpaprRegisterMemory.STRUCT.allocate(arena);
      VfioIommuSpaprRegisterMemory.VADDR.set(memory, address);
      VfioIommuSpaprRegisterMemory.SIZE.set(memory, byteSize);
      call(
          command,
          memory,
          errno -> explanations().memory(errno, byteSize, "registering memory of this size"));
    }
  }
}
