package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_iommu_type1_dma_map}: maps memory for a device; Type1 and sPAPR. */
public final class VfioIommuType1DmaMap {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U64.withName("vaddr"),
              Layouts.U64.withName("iova"),
              Layouts.U64.withName("size"))
          .withName("vfio_iommu_type1_dma_map");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long VADDR_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("vaddr"));
  private static final long IOVA_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("iova"));
  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));

  private VfioIommuType1DmaMap() {}

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

  /** Reads {@code flags}: VFIO_DMA_MAP_FLAG_ bits. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code vaddr}: process address. */
  public static long vaddr(MemorySegment struct) {
    return struct.get(Layouts.U64, VADDR_OFFSET);
  }

  /** Writes {@code vaddr}. */
  public static void vaddr(MemorySegment struct, long value) {
    struct.set(Layouts.U64, VADDR_OFFSET, value);
  }

  /** Reads {@code iova}: IO virtual address. */
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
}
