package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_destroy}: ends an object of an iommufd. */
public final class IommuDestroy {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(Layouts.U32.withName("size"), Layouts.U32.withName("id"))
          .withName("iommu_destroy");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("id"));

  private IommuDestroy() {}

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

  /** Reads {@code id}: the object. */
  public static int id(MemorySegment struct) {
    return struct.get(Layouts.U32, ID_OFFSET);
  }

  /** Writes {@code id}. */
  public static void id(MemorySegment struct, int value) {
    struct.set(Layouts.U32, ID_OFFSET, value);
  }
}
