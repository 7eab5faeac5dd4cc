package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_region_dma_range}: a part of a region. */
public final class VfioRegionDmaRange {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(Layouts.U64.withName("offset"), Layouts.U64.withName("length"))
          .withName("vfio_region_dma_range");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long OFFSET_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("offset"));
  private static final long LENGTH_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("length"));

  private VfioRegionDmaRange() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code offset}: in the region, in bytes. */
  public static long offset(MemorySegment struct) {
    return struct.get(Layouts.U64, OFFSET_OFFSET);
  }

  /** Writes {@code offset}. */
  public static void offset(MemorySegment struct, long value) {
    struct.set(Layouts.U64, OFFSET_OFFSET, value);
  }

  /** Reads {@code length}: in bytes. */
  public static long length(MemorySegment struct) {
    return struct.get(Layouts.U64, LENGTH_OFFSET);
  }

  /** Writes {@code length}. */
  public static void length(MemorySegment struct, long value) {
    struct.set(Layouts.U64, LENGTH_OFFSET, value);
  }
}
