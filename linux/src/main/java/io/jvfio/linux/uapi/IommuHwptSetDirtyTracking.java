package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_hwpt_set_dirty_tracking}: turns dirty tracking of a HWPT on or off. */
public final class IommuHwptSetDirtyTracking {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("hwpt_id"),
              Layouts.U32.withName("__reserved"))
          .withName("iommu_hwpt_set_dirty_tracking");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long HWPT_ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("hwpt_id"));

  private IommuHwptSetDirtyTracking() {}

  /** Reads {@code size}. */
  public static int size(MemorySegment struct) {
    return struct.get(Layouts.U32, SIZE_OFFSET);
  }

  /** Writes {@code size}. */
  public static void size(MemorySegment struct, int value) {
    struct.set(Layouts.U32, SIZE_OFFSET, value);
  }

  /** A zeroed struct with {@code size} set to its size. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    var struct = allocator.allocate(LAYOUT);
    size(struct, (int) SIZE);
    return struct;
  }

  /** Reads {@code flags}: IOMMU_HWPT_DIRTY_TRACKING_ENABLE, or 0. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code hwpt_id}: the HWPT. */
  public static int hwptId(MemorySegment struct) {
    return struct.get(Layouts.U32, HWPT_ID_OFFSET);
  }

  /** Writes {@code hwpt_id}. */
  public static void hwptId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, HWPT_ID_OFFSET, value);
  }
}
