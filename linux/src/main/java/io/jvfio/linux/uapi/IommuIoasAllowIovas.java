package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct iommu_ioas_allow_iovas}: limits the addresses that automatic mapping may choose.
 */
public final class IommuIoasAllowIovas {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("ioas_id"),
              Layouts.U32.withName("num_iovas"),
              Layouts.U32.withName("__reserved"),
              Layouts.U64.withName("allowed_iovas"))
          .withName("iommu_ioas_allow_iovas");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long IOAS_ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("ioas_id"));
  private static final long NUM_IOVAS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("num_iovas"));
  private static final long ALLOWED_IOVAS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("allowed_iovas"));

  private IommuIoasAllowIovas() {}

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

  /** Reads {@code num_iovas}: number of ranges. */
  public static int numIovas(MemorySegment struct) {
    return struct.get(Layouts.U32, NUM_IOVAS_OFFSET);
  }

  /** Writes {@code num_iovas}. */
  public static void numIovas(MemorySegment struct, int value) {
    struct.set(Layouts.U32, NUM_IOVAS_OFFSET, value);
  }

  /** Reads {@code allowed_iovas}: process address of an array of iommu_iova_range. */
  public static long allowedIovas(MemorySegment struct) {
    return struct.get(Layouts.U64, ALLOWED_IOVAS_OFFSET);
  }

  /** Writes {@code allowed_iovas}. */
  public static void allowedIovas(MemorySegment struct, long value) {
    struct.set(Layouts.U64, ALLOWED_IOVAS_OFFSET, value);
  }
}
