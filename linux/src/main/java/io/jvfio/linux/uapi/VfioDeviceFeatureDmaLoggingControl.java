package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_device_feature_dma_logging_control}: feature: starts the log of what a device
 * writes.
 */
public final class VfioDeviceFeatureDmaLoggingControl {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U64.withName("page_size"),
              Layouts.U32.withName("num_ranges"),
              Layouts.U32.withName("__reserved"),
              Layouts.U64.withName("ranges"))
          .withName("vfio_device_feature_dma_logging_control");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long PAGE_SIZE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("page_size"));
  private static final long NUM_RANGES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("num_ranges"));
  private static final long RANGES_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("ranges"));

  private VfioDeviceFeatureDmaLoggingControl() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code page_size}: the granule, in bytes. */
  public static long pageSize(MemorySegment struct) {
    return struct.get(Layouts.U64, PAGE_SIZE_OFFSET);
  }

  /** Writes {@code page_size}. */
  public static void pageSize(MemorySegment struct, long value) {
    struct.set(Layouts.U64, PAGE_SIZE_OFFSET, value);
  }

  /** Reads {@code num_ranges}: number of ranges. */
  public static int numRanges(MemorySegment struct) {
    return struct.get(Layouts.U32, NUM_RANGES_OFFSET);
  }

  /** Writes {@code num_ranges}. */
  public static void numRanges(MemorySegment struct, int value) {
    struct.set(Layouts.U32, NUM_RANGES_OFFSET, value);
  }

  /** Reads {@code ranges}: process address of an array of vfio_device_feature_dma_logging_range. */
  public static long ranges(MemorySegment struct) {
    return struct.get(Layouts.U64, RANGES_OFFSET);
  }

  /** Writes {@code ranges}. */
  public static void ranges(MemorySegment struct, long value) {
    struct.set(Layouts.U64, RANGES_OFFSET, value);
  }
}
