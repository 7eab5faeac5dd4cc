package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_iova_range}: one range of addresses, as arrays of them have it. */
public final class IommuIovaRange {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(Layouts.U64.withName("start"), Layouts.U64.withName("last"))
          .withName("iommu_iova_range");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long START_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("start"));
  private static final long LAST_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("last"));

  private IommuIovaRange() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code start}: the first address. */
  public static long start(MemorySegment struct) {
    return struct.get(Layouts.U64, START_OFFSET);
  }

  /** Writes {@code start}. */
  public static void start(MemorySegment struct, long value) {
    struct.set(Layouts.U64, START_OFFSET, value);
  }

  /** Reads {@code last}: the last address. */
  public static long last(MemorySegment struct) {
    return struct.get(Layouts.U64, LAST_OFFSET);
  }

  /** Writes {@code last}. */
  public static void last(MemorySegment struct, long value) {
    struct.set(Layouts.U64, LAST_OFFSET, value);
  }
}
