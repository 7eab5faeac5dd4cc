package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_region_info}: one region of a device. */
public final class VfioRegionInfo {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("index"),
              Layouts.U32.withName("cap_offset"),
              Layouts.U64.withName("size"),
              Layouts.U64.withName("offset"))
          .withName("vfio_region_info");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long INDEX_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("index"));
  private static final long CAP_OFFSET_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("cap_offset"));
  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long OFFSET_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("offset"));

  private VfioRegionInfo() {}

  /** Reads {@code argsz}. */
  public static int argsz(MemorySegment struct) {
    return struct.get(Layouts.U32, ARGSZ_OFFSET);
  }

  /** Writes {@code argsz}. */
  public static void argsz(MemorySegment struct, int value) {
    struct.set(Layouts.U32, ARGSZ_OFFSET, value);
  }

  /** A zeroed struct with {@code argsz} set to its size. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    var struct = allocator.allocate(LAYOUT);
    argsz(struct, (int) SIZE);
    return struct;
  }

  /** Reads {@code flags}: VFIO_REGION_INFO_FLAG_ bits. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code index}: the region asked about. */
  public static int index(MemorySegment struct) {
    return struct.get(Layouts.U32, INDEX_OFFSET);
  }

  /** Writes {@code index}. */
  public static void index(MemorySegment struct, int value) {
    struct.set(Layouts.U32, INDEX_OFFSET, value);
  }

  /**
   * Reads {@code cap_offset}: start of the capability chain, from the start of this struct; 0 for
   * none.
   */
  public static int capOffset(MemorySegment struct) {
    return struct.get(Layouts.U32, CAP_OFFSET_OFFSET);
  }

  /** Writes {@code cap_offset}. */
  public static void capOffset(MemorySegment struct, int value) {
    struct.set(Layouts.U32, CAP_OFFSET_OFFSET, value);
  }

  /** Reads {@code size}: length in bytes; 0 when absent. */
  public static long size(MemorySegment struct) {
    return struct.get(Layouts.U64, SIZE_OFFSET);
  }

  /** Writes {@code size}. */
  public static void size(MemorySegment struct, long value) {
    struct.set(Layouts.U64, SIZE_OFFSET, value);
  }

  /** Reads {@code offset}: where the region starts in the device file. */
  public static long offset(MemorySegment struct) {
    return struct.get(Layouts.U64, OFFSET_OFFSET);
  }

  /** Writes {@code offset}. */
  public static void offset(MemorySegment struct, long value) {
    struct.set(Layouts.U64, OFFSET_OFFSET, value);
  }
}
