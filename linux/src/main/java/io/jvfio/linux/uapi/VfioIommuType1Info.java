package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_iommu_type1_info}: what a Type1 IOMMU can do. */
public final class VfioIommuType1Info {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U64.withName("iova_pgsizes"),
              Layouts.U32.withName("cap_offset"),
              MemoryLayout.paddingLayout(4))
          .withName("vfio_iommu_type1_info");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long IOVA_PGSIZES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("iova_pgsizes"));
  private static final long CAP_OFFSET_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("cap_offset"));

  private VfioIommuType1Info() {}

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

  /** Reads {@code flags}: VFIO_IOMMU_INFO_PGSIZES and VFIO_IOMMU_INFO_CAPS. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code iova_pgsizes}: a bit for each page size in bytes. */
  public static long iovaPgsizes(MemorySegment struct) {
    return struct.get(Layouts.U64, IOVA_PGSIZES_OFFSET);
  }

  /** Writes {@code iova_pgsizes}. */
  public static void iovaPgsizes(MemorySegment struct, long value) {
    struct.set(Layouts.U64, IOVA_PGSIZES_OFFSET, value);
  }

  /**
   * Reads {@code cap_offset}: start of the capability chain, from the start of this struct; 0 for
   * none.
   */
  public static int capOffset(MemorySegment struct) {
    return struct.get(Layouts.U32, CAP_OFFSET_OFFSET);
  }

  /** Writes {@code cap_offset}. */
  public static void capOffset(MemorySegment struct, int value) {
    struct.set(Layouts.U32, CAP_OFFSET_OFFSET, value);
  }
}
