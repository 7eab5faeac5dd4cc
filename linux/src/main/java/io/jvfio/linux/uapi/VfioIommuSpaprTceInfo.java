package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_iommu_spapr_tce_info}: the default window of a sPAPR container, and what other
 * windows it may have.
 */
public final class VfioIommuSpaprTceInfo {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("dma32_window_start"),
              Layouts.U32.withName("dma32_window_size"),
              MemoryLayout.structLayout(
                      Layouts.U64.withName("pgsizes"),
                      Layouts.U32.withName("max_dynamic_windows_supported"),
                      Layouts.U32.withName("levels"))
                  .withName("ddw"))
          .withName("vfio_iommu_spapr_tce_info");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long DMA32_WINDOW_START_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("dma32_window_start"));
  private static final long DMA32_WINDOW_SIZE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("dma32_window_size"));
  private static final long PGSIZES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("ddw"), PathElement.groupElement("pgsizes"));
  private static final long MAX_DYNAMIC_WINDOWS_SUPPORTED_OFFSET =
      LAYOUT.byteOffset(
          PathElement.groupElement("ddw"),
          PathElement.groupElement("max_dynamic_windows_supported"));
  private static final long LEVELS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("ddw"), PathElement.groupElement("levels"));

  private VfioIommuSpaprTceInfo() {}

  /** Reads {@code argsz}. */
  public static int argsz(MemorySegment struct) {
    return struct.get(Layouts.U32, ARGSZ_OFFSET);
  }

  /** Writes {@code argsz}. */
  public static void argsz(MemorySegment struct, int value) {
    struct.set(Layouts.U32, ARGSZ_OFFSET, value);
  }

  /** A zeroed struct with {@code argsz} set to its size. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    var struct = allocator.allocate(LAYOUT);
    argsz(struct, (int) SIZE);
    return struct;
  }

  /** Reads {@code flags}: VFIO_IOMMU_SPAPR_INFO_DDW. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code dma32_window_start}: IOVA at which the default window starts. */
  public static int dma32WindowStart(MemorySegment struct) {
    return struct.get(Layouts.U32, DMA32_WINDOW_START_OFFSET);
  }

  /** Writes {@code dma32_window_start}. */
  public static void dma32WindowStart(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DMA32_WINDOW_START_OFFSET, value);
  }

  /** Reads {@code dma32_window_size}: in bytes. */
  public static int dma32WindowSize(MemorySegment struct) {
    return struct.get(Layouts.U32, DMA32_WINDOW_SIZE_OFFSET);
  }

  /** Writes {@code dma32_window_size}. */
  public static void dma32WindowSize(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DMA32_WINDOW_SIZE_OFFSET, value);
  }

  /** Reads {@code ddw.pgsizes}: a bit for each page size in bytes. */
  public static long pgsizes(MemorySegment struct) {
    return struct.get(Layouts.U64, PGSIZES_OFFSET);
  }

  /** Writes {@code ddw.pgsizes}. */
  public static void pgsizes(MemorySegment struct, long value) {
    struct.set(Layouts.U64, PGSIZES_OFFSET, value);
  }

  /**
   * Reads {@code ddw.max_dynamic_windows_supported}: 0xffffffff where the hypervisor offers none.
   */
  public static int maxDynamicWindowsSupported(MemorySegment struct) {
    return struct.get(Layouts.U32, MAX_DYNAMIC_WINDOWS_SUPPORTED_OFFSET);
  }

  /** Writes {@code ddw.max_dynamic_windows_supported}. */
  public static void maxDynamicWindowsSupported(MemorySegment struct, int value) {
    struct.set(Layouts.U32, MAX_DYNAMIC_WINDOWS_SUPPORTED_OFFSET, value);
  }

  /** Reads {@code ddw.levels}: how many levels a table may have. */
  public static int levels(MemorySegment struct) {
    return struct.get(Layouts.U32, LEVELS_OFFSET);
  }

  /** Writes {@code ddw.levels}. */
  public static void levels(MemorySegment struct, int value) {
    struct.set(Layouts.U32, LEVELS_OFFSET, value);
  }
}
