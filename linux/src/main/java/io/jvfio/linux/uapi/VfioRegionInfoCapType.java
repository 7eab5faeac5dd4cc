package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_region_info_cap_type}: region capability: what a device-specific region is.
 */
public final class VfioRegionInfoCapType {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              VfioInfoCapHeader.LAYOUT.withName("header"),
              Layouts.U32.withName("type"),
              Layouts.U32.withName("subtype"))
          .withName("vfio_region_info_cap_type");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long TYPE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("type"));
  private static final long SUBTYPE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("subtype"));

  private VfioRegionInfoCapType() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code type}: VFIO_REGION_TYPE_. */
  public static int type(MemorySegment struct) {
    return struct.get(Layouts.U32, TYPE_OFFSET);
  }

  /** Writes {@code type}. */
  public static void type(MemorySegment struct, int value) {
    struct.set(Layouts.U32, TYPE_OFFSET, value);
  }

  /** Reads {@code subtype}: VFIO_REGION_SUBTYPE_ of the type. */
  public static int subtype(MemorySegment struct) {
    return struct.get(Layouts.U32, SUBTYPE_OFFSET);
  }

  /** Writes {@code subtype}. */
  public static void subtype(MemorySegment struct, int value) {
    struct.set(Layouts.U32, SUBTYPE_OFFSET, value);
  }
}
