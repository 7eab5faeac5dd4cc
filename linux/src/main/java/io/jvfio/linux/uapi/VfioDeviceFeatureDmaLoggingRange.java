package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_device_feature_dma_logging_range}: a range of addresses to log. */
public final class VfioDeviceFeatureDmaLoggingRange {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(Layouts.U64.withName("iova"), Layouts.U64.withName("length"))
          .withName("vfio_device_feature_dma_logging_range");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long IOVA_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("iova"));
  private static final long LENGTH_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("length"));

  private VfioDeviceFeatureDmaLoggingRange() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code iova}: the first IO virtual address. */
  public static long iova(MemorySegment struct) {
    return struct.get(Layouts.U64, IOVA_OFFSET);
  }

  /** Writes {@code iova}. */
  public static void iova(MemorySegment struct, long value) {
    struct.set(Layouts.U64, IOVA_OFFSET, value);
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
