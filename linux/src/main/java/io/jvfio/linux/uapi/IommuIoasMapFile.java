package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_ioas_map_file}: maps a file, such as a memfd, in an IOAS. */
public final class IommuIoasMapFile {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("ioas_id"),
              Layouts.U32.withName("fd"),
              Layouts.U64.withName("start"),
              Layouts.U64.withName("length"),
              Layouts.U64.withName("iova"))
          .withName("iommu_ioas_map_file");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long IOAS_ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("ioas_id"));
  private static final long FD_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("fd"));
  private static final long START_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("start"));
  private static final long LENGTH_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("length"));
  private static final long IOVA_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("iova"));

  private IommuIoasMapFile() {}

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

  /** Reads {@code ioas_id}: the IOAS. */
  public static int ioasId(MemorySegment struct) {
    return struct.get(Layouts.U32, IOAS_ID_OFFSET);
  }

  /** Writes {@code ioas_id}. */
  public static void ioasId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, IOAS_ID_OFFSET, value);
  }

  /** Reads {@code fd}: the file. */
  public static int fd(MemorySegment struct) {
    return struct.get(Layouts.U32, FD_OFFSET);
  }

  /** Writes {@code fd}. */
  public static void fd(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FD_OFFSET, value);
  }

  /** Reads {@code start}: offset in the file, in bytes. */
  public static long start(MemorySegment struct) {
    return struct.get(Layouts.U64, START_OFFSET);
  }

  /** Writes {@code start}. */
  public static void start(MemorySegment struct, long value) {
    struct.set(Layouts.U64, START_OFFSET, value);
  }

  /** Reads {@code length}: in bytes. */
  public static long length(MemorySegment struct) {
    return struct.get(Layouts.U64, LENGTH_OFFSET);
  }

  /** Writes {@code length}. */
  public static void length(MemorySegment struct, long value) {
    struct.set(Layouts.U64, LENGTH_OFFSET, value);
  }

  /** Reads {@code iova}: IO virtual address; written by the kernel unless it is fixed. */
  public static long iova(MemorySegment struct) {
    return struct.get(Layouts.U64, IOVA_OFFSET);
  }

  /** Writes {@code iova}. */
  public static void iova(MemorySegment struct, long value) {
    struct.set(Layouts.U64, IOVA_OFFSET, value);
  }
}
