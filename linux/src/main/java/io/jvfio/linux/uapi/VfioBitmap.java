package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_bitmap}: a bitmap of dirty pages. */
public final class VfioBitmap {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U64.withName("pgsize"),
              Layouts.U64.withName("size"),
              Layouts.U64.withName("data"))
          .withName("vfio_bitmap");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long PGSIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("pgsize"));
  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long DATA_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("data"));

  private VfioBitmap() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code pgsize}: bytes that one bit stands for. */
  public static long pgsize(MemorySegment struct) {
    return struct.get(Layouts.U64, PGSIZE_OFFSET);
  }

  /** Writes {@code pgsize}. */
  public static void pgsize(MemorySegment struct, long value) {
    struct.set(Layouts.U64, PGSIZE_OFFSET, value);
  }

  /** Reads {@code size}: of the bitmap, in bytes. */
  public static long size(MemorySegment struct) {
    return struct.get(Layouts.U64, SIZE_OFFSET);
  }

  /** Writes {@code size}. */
  public static void size(MemorySegment struct, long value) {
    struct.set(Layouts.U64, SIZE_OFFSET, value);
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
