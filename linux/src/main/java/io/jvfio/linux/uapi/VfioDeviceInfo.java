package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_device_info}: how many regions and interrupts a device has. */
public final class VfioDeviceInfo {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("num_regions"),
              Layouts.U32.withName("num_irqs"),
              Layouts.U32.withName("cap_offset"),
              MemoryLayout.paddingLayout(4))
          .withName("vfio_device_info");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long NUM_REGIONS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("num_regions"));
  private static final long NUM_IRQS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("num_irqs"));
  private static final long CAP_OFFSET_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("cap_offset"));

  private VfioDeviceInfo() {}

  /** Reads {@code argsz}. */
  public static int argsz(MemorySegment struct) {
    return struct.get(Layouts.U32, ARGSZ_OFFSET);
  }

  /** Writes {@code argsz}. */
  public static void argsz(MemorySegment struct, int value) {
    struct.set(Layouts.U32, ARGSZ_OFFSET, value);
  }

  /** A zeroed struct with {@code argsz} set to its size. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    var struct = allocator.allocate(LAYOUT);
    argsz(struct, (int) SIZE);
    return struct;
  }

  /** Reads {@code flags}: VFIO_DEVICE_FLAGS_ bits. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code num_regions}: one more than the highest region index. */
  public static int numRegions(MemorySegment struct) {
    return struct.get(Layouts.U32, NUM_REGIONS_OFFSET);
  }

  /** Writes {@code num_regions}. */
  public static void numRegions(MemorySegment struct, int value) {
    struct.set(Layouts.U32, NUM_REGIONS_OFFSET, value);
  }

  /** Reads {@code num_irqs}: one more than the highest interrupt index. */
  public static int numIrqs(MemorySegment struct) {
    return struct.get(Layouts.U32, NUM_IRQS_OFFSET);
  }

  /** Writes {@code num_irqs}. */
  public static void numIrqs(MemorySegment struct, int value) {
    struct.set(Layouts.U32, NUM_IRQS_OFFSET, value);
  }

  /**
   * Reads {@code cap_offset}: start of the capability chain, from the start of this struct; 0 for
   * none.
   */
  public static int capOffset(MemorySegment struct) {
    return struct.get(Layouts.U32, CAP_OFFSET_OFFSET);
  }

  /** Writes {@code cap_offset}. */
  public static void capOffset(MemorySegment struct, int value) {
    struct.set(Layouts.U32, CAP_OFFSET_OFFSET, value);
  }
}
