package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_ioas_alloc}: makes an IO address space (IOAS). */
public final class IommuIoasAlloc {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("out_ioas_id"))
          .withName("iommu_ioas_alloc");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long OUT_IOAS_ID_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("out_ioas_id"));

  private IommuIoasAlloc() {}

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

  /** Reads {@code flags}: must be 0. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code out_ioas_id}: the new IOAS, written by the kernel. */
  public static int outIoasId(MemorySegment struct) {
    return struct.get(Layouts.U32, OUT_IOAS_ID_OFFSET);
  }

  /** Writes {@code out_ioas_id}. */
  public static void outIoasId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, OUT_IOAS_ID_OFFSET, value);
  }
}
