package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_device_feature_dma_buf}: head of the feature that gives parts of a region as a
 * dma-buf; {@link VfioRegionDmaRange}s follow.
 */
public final class VfioDeviceFeatureDmaBuf {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("region_index"),
              Layouts.U32.withName("open_flags"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("nr_ranges"))
          .withName("vfio_device_feature_dma_buf");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long REGION_INDEX_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("region_index"));
  private static final long OPEN_FLAGS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("open_flags"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long NR_RANGES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("nr_ranges"));

  private VfioDeviceFeatureDmaBuf() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code region_index}: the region. */
  public static int regionIndex(MemorySegment struct) {
    return struct.get(Layouts.U32, REGION_INDEX_OFFSET);
  }

  /** Writes {@code region_index}. */
  public static void regionIndex(MemorySegment struct, int value) {
    struct.set(Layouts.U32, REGION_INDEX_OFFSET, value);
  }

  /** Reads {@code open_flags}: O_ flags of the dma-buf. */
  public static int openFlags(MemorySegment struct) {
    return struct.get(Layouts.U32, OPEN_FLAGS_OFFSET);
  }

  /** Writes {@code open_flags}. */
  public static void openFlags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, OPEN_FLAGS_OFFSET, value);
  }

  /** Reads {@code flags}: must be 0. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code nr_ranges}: number of ranges. */
  public static int nrRanges(MemorySegment struct) {
    return struct.get(Layouts.U32, NR_RANGES_OFFSET);
  }

  /** Writes {@code nr_ranges}. */
  public static void nrRanges(MemorySegment struct, int value) {
    struct.set(Layouts.U32, NR_RANGES_OFFSET, value);
  }
}
