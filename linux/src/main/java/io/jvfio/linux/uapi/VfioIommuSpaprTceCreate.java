package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_iommu_spapr_tce_create}: creates a DMA window. */
public final class VfioIommuSpaprTceCreate {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("page_shift"),
              MemoryLayout.paddingLayout(4),
              Layouts.U64.withName("window_size"),
              Layouts.U32.withName("levels"),
              MemoryLayout.paddingLayout(4),
              Layouts.U64.withName("start_addr"))
          .withName("vfio_iommu_spapr_tce_create");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long PAGE_SHIFT_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("page_shift"));
  private static final long WINDOW_SIZE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("window_size"));
  private static final long LEVELS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("levels"));
  private static final long START_ADDR_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("start_addr"));

  private VfioIommuSpaprTceCreate() {}

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

  /** Reads {@code flags}: none are defined. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code page_shift}: logarithm of the IOMMU page size. */
  public static int pageShift(MemorySegment struct) {
    return struct.get(Layouts.U32, PAGE_SHIFT_OFFSET);
  }

  /** Writes {@code page_shift}. */
  public static void pageShift(MemorySegment struct, int value) {
    struct.set(Layouts.U32, PAGE_SHIFT_OFFSET, value);
  }

  /** Reads {@code window_size}: in bytes. */
  public static long windowSize(MemorySegment struct) {
    return struct.get(Layouts.U64, WINDOW_SIZE_OFFSET);
  }

  /** Writes {@code window_size}. */
  public static void windowSize(MemorySegment struct, long value) {
    struct.set(Layouts.U64, WINDOW_SIZE_OFFSET, value);
  }

  /** Reads {@code levels}: levels of the table. */
  public static int levels(MemorySegment struct) {
    return struct.get(Layouts.U32, LEVELS_OFFSET);
  }

  /** Writes {@code levels}. */
  public static void levels(MemorySegment struct, int value) {
    struct.set(Layouts.U32, LEVELS_OFFSET, value);
  }

  /** Reads {@code start_addr}: out: IOVA at which the window starts. */
  public static long startAddr(MemorySegment struct) {
    return struct.get(Layouts.U64, START_ADDR_OFFSET);
  }

  /** Writes {@code start_addr}. */
  public static void startAddr(MemorySegment struct, long value) {
    struct.set(Layouts.U64, START_ADDR_OFFSET, value);
  }
}
