package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_iommu_type1_info_dma_avail}: Type1 capability: how many more mappings there
 * may be.
 */
public final class VfioIommuType1InfoDmaAvail {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              VfioInfoCapHeader.LAYOUT.withName("header"), Layouts.U32.withName("avail"))
          .withName("vfio_iommu_type1_info_dma_avail");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long AVAIL_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("avail"));

  private VfioIommuType1InfoDmaAvail() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code avail}: number of mappings. */
  public static int avail(MemorySegment struct) {
    return struct.get(Layouts.U32, AVAIL_OFFSET);
  }

  /** Writes {@code avail}. */
  public static void avail(MemorySegment struct, int value) {
    struct.set(Layouts.U32, AVAIL_OFFSET, value);
  }
}
