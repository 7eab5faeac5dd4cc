package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_iommu_type1_info_cap_migration}: Type1 capability: dirty tracking. */
public final class VfioIommuType1InfoCapMigration {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              VfioInfoCapHeader.LAYOUT.withName("header"),
              Layouts.U32.withName("flags"),
              MemoryLayout.paddingLayout(4),
              Layouts.U64.withName("pgsize_bitmap"),
              Layouts.U64.withName("max_dirty_bitmap_size"))
          .withName("vfio_iommu_type1_info_cap_migration");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long PGSIZE_BITMAP_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("pgsize_bitmap"));
  private static final long MAX_DIRTY_BITMAP_SIZE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("max_dirty_bitmap_size"));

  private VfioIommuType1InfoCapMigration() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code flags}: none are known. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code pgsize_bitmap}: page sizes of a bitmap. */
  public static long pgsizeBitmap(MemorySegment struct) {
    return struct.get(Layouts.U64, PGSIZE_BITMAP_OFFSET);
  }

  /** Writes {@code pgsize_bitmap}. */
  public static void pgsizeBitmap(MemorySegment struct, long value) {
    struct.set(Layouts.U64, PGSIZE_BITMAP_OFFSET, value);
  }

  /** Reads {@code max_dirty_bitmap_size}: in bytes. */
  public static long maxDirtyBitmapSize(MemorySegment struct) {
    return struct.get(Layouts.U64, MAX_DIRTY_BITMAP_SIZE_OFFSET);
  }

  /** Writes {@code max_dirty_bitmap_size}. */
  public static void maxDirtyBitmapSize(MemorySegment struct, long value) {
    struct.set(Layouts.U64, MAX_DIRTY_BITMAP_SIZE_OFFSET, value);
  }
}
