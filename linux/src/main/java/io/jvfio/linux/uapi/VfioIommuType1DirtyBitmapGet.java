package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_iommu_type1_dirty_bitmap_get}: what follows {@link VfioIommuType1DirtyBitmap}
 * when it reads.
 */
public final class VfioIommuType1DirtyBitmapGet {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U64.withName("iova"),
              Layouts.U64.withName("size"),
              MemoryLayout.structLayout(
                      Layouts.U64.withName("pgsize"),
                      Layouts.U64.withName("size"),
                      Layouts.U64.withName("data"))
                  .withName("bitmap"))
          .withName("vfio_iommu_type1_dirty_bitmap_get");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long IOVA_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("iova"));
  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long BITMAP_PGSIZE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("bitmap"), PathElement.groupElement("pgsize"));
  private static final long BITMAP_SIZE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("bitmap"), PathElement.groupElement("size"));
  private static final long BITMAP_DATA_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("bitmap"), PathElement.groupElement("data"));

  private VfioIommuType1DirtyBitmapGet() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code iova}: the first IO virtual address. */
  public static long iova(MemorySegment struct) {
    return struct.get(Layouts.U64, IOVA_OFFSET);
  }

  /** Writes {@code iova}. */
  public static void iova(MemorySegment struct, long value) {
    struct.set(Layouts.U64, IOVA_OFFSET, value);
  }

  /** Reads {@code size}: in bytes. */
  public static long size(MemorySegment struct) {
    return struct.get(Layouts.U64, SIZE_OFFSET);
  }

  /** Writes {@code size}. */
  public static void size(MemorySegment struct, long value) {
    struct.set(Layouts.U64, SIZE_OFFSET, value);
  }

  /** Reads {@code bitmap.pgsize}: bytes that one bit stands for. */
  public static long bitmapPgsize(MemorySegment struct) {
    return struct.get(Layouts.U64, BITMAP_PGSIZE_OFFSET);
  }

  /** Writes {@code bitmap.pgsize}. */
  public static void bitmapPgsize(MemorySegment struct, long value) {
    struct.set(Layouts.U64, BITMAP_PGSIZE_OFFSET, value);
  }

  /** Reads {@code bitmap.size}: of the bitmap, in bytes. */
  public static long bitmapSize(MemorySegment struct) {
    return struct.get(Layouts.U64, BITMAP_SIZE_OFFSET);
  }

  /** Writes {@code bitmap.size}. */
  public static void bitmapSize(MemorySegment struct, long value) {
    struct.set(Layouts.U64, BITMAP_SIZE_OFFSET, value);
  }

  /** Reads {@code bitmap.data}: process address of the bitmap. */
  public static long bitmapData(MemorySegment struct) {
    return struct.get(Layouts.U64, BITMAP_DATA_OFFSET);
  }

  /** Writes {@code bitmap.data}. */
  public static void bitmapData(MemorySegment struct, long value) {
    struct.set(Layouts.U64, BITMAP_DATA_OFFSET, value);
  }
}
