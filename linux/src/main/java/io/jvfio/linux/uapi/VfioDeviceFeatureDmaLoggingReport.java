package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_device_feature_dma_logging_report}: feature: reads and clears the log of what
 * a device wrote.
 */
public final class VfioDeviceFeatureDmaLoggingReport {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U64.withName("iova"),
              Layouts.U64.withName("length"),
              Layouts.U64.withName("page_size"),
              Layouts.U64.withName("bitmap"))
          .withName("vfio_device_feature_dma_logging_report");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long IOVA_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("iova"));
  private static final long LENGTH_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("length"));
  private static final long PAGE_SIZE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("page_size"));
  private static final long BITMAP_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("bitmap"));

  private VfioDeviceFeatureDmaLoggingReport() {}

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

  /** Reads {@code bitmap}: process address of the bitmap. */
  public static long bitmap(MemorySegment struct) {
    return struct.get(Layouts.U64, BITMAP_OFFSET);
  }

  /** Writes {@code bitmap}. */
  public static void bitmap(MemorySegment struct, long value) {
    struct.set(Layouts.U64, BITMAP_OFFSET, value);
  }
}
