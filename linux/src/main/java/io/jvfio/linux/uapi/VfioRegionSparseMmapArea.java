package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_region_sparse_mmap_area}: one part of a region that can be mapped. */
public final class VfioRegionSparseMmapArea {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(Layouts.U64.withName("offset"), Layouts.U64.withName("size"))
          .withName("vfio_region_sparse_mmap_area");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long OFFSET_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("offset"));
  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));

  private VfioRegionSparseMmapArea() {}

  /** Reads {@code offset}: from the start of the region. */
  public static long offset(MemorySegment struct) {
    return struct.get(Layouts.U64, OFFSET_OFFSET);
  }

  /** Writes {@code offset}. */
  public static void offset(MemorySegment struct, long value) {
    struct.set(Layouts.U64, OFFSET_OFFSET, value);
  }

  /** Reads {@code size}: in bytes. */
  public static long size(MemorySegment struct) {
    return struct.get(Layouts.U64, SIZE_OFFSET);
  }

  /** Writes {@code size}. */
  public static void size(MemorySegment struct, long value) {
    struct.set(Layouts.U64, SIZE_OFFSET, value);
  }
}
