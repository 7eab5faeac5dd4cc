package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_device_feature_mig_data_size}: feature: how much data a migration would take.
 */
public final class VfioDeviceFeatureMigDataSize {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(Layouts.U64.withName("stop_copy_length"))
          .withName("vfio_device_feature_mig_data_size");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long STOP_COPY_LENGTH_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("stop_copy_length"));

  private VfioDeviceFeatureMigDataSize() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code stop_copy_length}: in bytes. */
  public static long stopCopyLength(MemorySegment struct) {
    return struct.get(Layouts.U64, STOP_COPY_LENGTH_OFFSET);
  }

  /** Writes {@code stop_copy_length}. */
  public static void stopCopyLength(MemorySegment struct, long value) {
    struct.set(Layouts.U64, STOP_COPY_LENGTH_OFFSET, value);
  }
}
