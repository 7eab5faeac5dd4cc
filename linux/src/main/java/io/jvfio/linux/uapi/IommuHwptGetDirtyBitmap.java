package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_hwpt_get_dirty_bitmap}: reads which pages of a HWPT were written. */
public final class IommuHwptGetDirtyBitmap {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("hwpt_id"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("__reserved"),
              Layouts.U64.withName("iova"),
              Layouts.U64.withName("length"),
              Layouts.U64.withName("page_size"),
              Layouts.U64.withName("data"))
          .withName("iommu_hwpt_get_dirty_bitmap");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long HWPT_ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("hwpt_id"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long IOVA_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("iova"));
  private static final long LENGTH_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("length"));
  private static final long PAGE_SIZE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("page_size"));
  private static final long DATA_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("data"));

  private IommuHwptGetDirtyBitmap() {}

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

  /** Reads {@code hwpt_id}: the HWPT. */
  public static int hwptId(MemorySegment struct) {
    return struct.get(Layouts.U32, HWPT_ID_OFFSET);
  }

  /** Writes {@code hwpt_id}. */
  public static void hwptId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, HWPT_ID_OFFSET, value);
  }

  /** Reads {@code flags}: IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR, or 0. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code iova}: the first IO virtual address. */
  public static long iova(MemorySegment struct) {
    return struct.get(Layouts.U64, IOVA_OFFSET);
  }

  /** Writes {@code iova}. */
  public static void iova(MemorySegment struct, long value) {
    struct.set(Layouts.U64, IOVA_OFFSET, value);
  }

  /** Reads {@code length}: in bytes. */
  public static long length(MemorySegment struct) {
    return struct.get(Layouts.U64, LENGTH_OFFSET);
  }

  /** Writes {@code length}. */
  public static void length(MemorySegment struct, long value) {
    struct.set(Layouts.U64, LENGTH_OFFSET, value);
  }

  /** Reads {@code page_size}: bytes that one bit stands for. */
  public static long pageSize(MemorySegment struct) {
    return struct.get(Layouts.U64, PAGE_SIZE_OFFSET);
  }

  /** Writes {@code page_size}. */
  public static void pageSize(MemorySegment struct, long value) {
    struct.set(Layouts.U64, PAGE_SIZE_OFFSET, value);
  }

  /** Reads {@code data}: process address of the bitmap. */
  public static long data(MemorySegment struct) {
    return struct.get(Layouts.U64, DATA_OFFSET);
  }

  /** Writes {@code data}. */
  public static void data(MemorySegment struct, long value) {
    struct.set(Layouts.U64, DATA_OFFSET, value);
  }
}
