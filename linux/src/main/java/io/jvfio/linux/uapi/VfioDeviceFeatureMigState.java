package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_device_feature_mig_state}: feature: the migration state. */
public final class VfioDeviceFeatureMigState {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("device_state"), Layouts.U32.withName("data_fd"))
          .withName("vfio_device_feature_mig_state");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long DEVICE_STATE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("device_state"));
  private static final long DATA_FD_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("data_fd"));

  private VfioDeviceFeatureMigState() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code device_state}: one of VFIO_DEVICE_STATE_. */
  public static int deviceState(MemorySegment struct) {
    return struct.get(Layouts.U32, DEVICE_STATE_OFFSET);
  }

  /** Writes {@code device_state}. */
  public static void deviceState(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DEVICE_STATE_OFFSET, value);
  }

  /** Reads {@code data_fd}: the stream of device data that the new state opened, or -1. */
  public static int dataFd(MemorySegment struct) {
    return struct.get(Layouts.U32, DATA_FD_OFFSET);
  }

  /** Writes {@code data_fd}. */
  public static void dataFd(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DATA_FD_OFFSET, value);
  }
}
