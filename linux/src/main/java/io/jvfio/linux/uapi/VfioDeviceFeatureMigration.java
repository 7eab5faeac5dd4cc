package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_device_feature_migration}: feature: what migration a device can do. */
public final class VfioDeviceFeatureMigration {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(Layouts.U64.withName("flags"))
          .withName("vfio_device_feature_migration");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));

  private VfioDeviceFeatureMigration() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code flags}: VFIO_MIGRATION_ bits. */
  public static long flags(MemorySegment struct) {
    return struct.get(Layouts.U64, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, long value) {
    struct.set(Layouts.U64, FLAGS_OFFSET, value);
  }
}
