package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_iommu_type1_info_cap_iova_range}: head of the Type1 capability with the valid
 * ranges; {@link VfioIovaRange}s follow.
 */
public final class VfioIommuType1InfoCapIovaRange {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              VfioInfoCapHeader.LAYOUT.withName("header"),
              Layouts.U32.withName("nr_iovas"),
              Layouts.U32.withName("reserved"))
          .withName("vfio_iommu_type1_info_cap_iova_range");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long NR_IOVAS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("nr_iovas"));

  private VfioIommuType1InfoCapIovaRange() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code nr_iovas}: number of ranges. */
  public static int nrIovas(MemorySegment struct) {
    return struct.get(Layouts.U32, NR_IOVAS_OFFSET);
  }

  /** Writes {@code nr_iovas}. */
  public static void nrIovas(MemorySegment struct, int value) {
    struct.set(Layouts.U32, NR_IOVAS_OFFSET, value);
  }
}
