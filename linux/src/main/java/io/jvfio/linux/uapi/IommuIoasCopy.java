package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_ioas_copy}: maps in one IOAS what is mapped in another, sharing its pins. */
public final class IommuIoasCopy {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("dst_ioas_id"),
              Layouts.U32.withName("src_ioas_id"),
              Layouts.U64.withName("length"),
              Layouts.U64.withName("dst_iova"),
              Layouts.U64.withName("src_iova"))
          .withName("iommu_ioas_copy");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long DST_IOAS_ID_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("dst_ioas_id"));
  private static final long SRC_IOAS_ID_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("src_ioas_id"));
  private static final long LENGTH_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("length"));
  private static final long DST_IOVA_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("dst_iova"));
  private static final long SRC_IOVA_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("src_iova"));

  private IommuIoasCopy() {}

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

  /** Reads {@code flags}: IOMMU_IOAS_MAP_ bits. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code dst_ioas_id}: the IOAS to map in. */
  public static int dstIoasId(MemorySegment struct) {
    return struct.get(Layouts.U32, DST_IOAS_ID_OFFSET);
  }

  /** Writes {@code dst_ioas_id}. */
  public static void dstIoasId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DST_IOAS_ID_OFFSET, value);
  }

  /** Reads {@code src_ioas_id}: the IOAS to copy from. */
  public static int srcIoasId(MemorySegment struct) {
    return struct.get(Layouts.U32, SRC_IOAS_ID_OFFSET);
  }

  /** Writes {@code src_ioas_id}. */
  public static void srcIoasId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, SRC_IOAS_ID_OFFSET, value);
  }

  /** Reads {@code length}: in bytes. */
  public static long length(MemorySegment struct) {
    return struct.get(Layouts.U64, LENGTH_OFFSET);
  }

  /** Writes {@code length}. */
  public static void length(MemorySegment struct, long value) {
    struct.set(Layouts.U64, LENGTH_OFFSET, value);
  }

  /** Reads {@code dst_iova}: IO virtual address; written by the kernel unless it is fixed. */
  public static long dstIova(MemorySegment struct) {
    return struct.get(Layouts.U64, DST_IOVA_OFFSET);
  }

  /** Writes {@code dst_iova}. */
  public static void dstIova(MemorySegment struct, long value) {
    struct.set(Layouts.U64, DST_IOVA_OFFSET, value);
  }

  /** Reads {@code src_iova}: IO virtual address of the source. */
  public static long srcIova(MemorySegment struct) {
    return struct.get(Layouts.U64, SRC_IOVA_OFFSET);
  }

  /** Writes {@code src_iova}. */
  public static void srcIova(MemorySegment struct, long value) {
    struct.set(Layouts.U64, SRC_IOVA_OFFSET, value);
  }
}
