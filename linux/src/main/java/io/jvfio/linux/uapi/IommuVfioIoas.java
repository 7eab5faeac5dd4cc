package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_vfio_ioas}: the IOAS behind the VFIO-compatible container. */
public final class IommuVfioIoas {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("ioas_id"),
              Layouts.U16.withName("op"),
              Layouts.U16.withName("__reserved"))
          .withName("iommu_vfio_ioas");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long IOAS_ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("ioas_id"));
  private static final long OP_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("op"));

  private IommuVfioIoas() {}

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

  /** Reads {@code ioas_id}: the IOAS. */
  public static int ioasId(MemorySegment struct) {
    return struct.get(Layouts.U32, IOAS_ID_OFFSET);
  }

  /** Writes {@code ioas_id}. */
  public static void ioasId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, IOAS_ID_OFFSET, value);
  }

  /** Reads {@code op}: IOMMU_VFIO_IOAS_ operation. */
  public static short op(MemorySegment struct) {
    return struct.get(Layouts.U16, OP_OFFSET);
  }

  /** Writes {@code op}. */
  public static void op(MemorySegment struct, short value) {
    struct.set(Layouts.U16, OP_OFFSET, value);
  }
}
