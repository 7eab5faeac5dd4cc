package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_device_low_power_entry_with_wakeup}: feature: low power with a notice when the
 * device was woken.
 */
public final class VfioDeviceLowPowerEntryWithWakeup {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("wakeup_eventfd"), Layouts.U32.withName("reserved"))
          .withName("vfio_device_low_power_entry_with_wakeup");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long WAKEUP_EVENTFD_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("wakeup_eventfd"));

  private VfioDeviceLowPowerEntryWithWakeup() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code wakeup_eventfd}: signalled when it was woken. */
  public static int wakeupEventfd(MemorySegment struct) {
    return struct.get(Layouts.U32, WAKEUP_EVENTFD_OFFSET);
  }

  /** Writes {@code wakeup_eventfd}. */
  public static void wakeupEventfd(MemorySegment struct, int value) {
    struct.set(Layouts.U32, WAKEUP_EVENTFD_OFFSET, value);
  }
}
