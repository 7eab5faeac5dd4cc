package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_option}: reads or sets an option of an iommufd or of one object. */
public final class IommuOption {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("option_id"),
              Layouts.U16.withName("op"),
              Layouts.U16.withName("__reserved"),
              Layouts.U32.withName("object_id"),
              Layouts.U64.withName("val64"))
          .withName("iommu_option");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long OPTION_ID_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("option_id"));
  private static final long OP_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("op"));
  private static final long OBJECT_ID_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("object_id"));
  private static final long VAL64_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("val64"));

  private IommuOption() {}

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

  /** Reads {@code option_id}: IOMMU_OPTION_RLIMIT_MODE or IOMMU_OPTION_HUGE_PAGES. */
  public static int optionId(MemorySegment struct) {
    return struct.get(Layouts.U32, OPTION_ID_OFFSET);
  }

  /** Writes {@code option_id}. */
  public static void optionId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, OPTION_ID_OFFSET, value);
  }

  /** Reads {@code op}: IOMMU_OPTION_OP_SET or IOMMU_OPTION_OP_GET. */
  public static short op(MemorySegment struct) {
    return struct.get(Layouts.U16, OP_OFFSET);
  }

  /** Writes {@code op}. */
  public static void op(MemorySegment struct, short value) {
    struct.set(Layouts.U16, OP_OFFSET, value);
  }

  /** Reads {@code object_id}: the object; 0 for the iommufd itself. */
  public static int objectId(MemorySegment struct) {
    return struct.get(Layouts.U32, OBJECT_ID_OFFSET);
  }

  /** Writes {@code object_id}. */
  public static void objectId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, OBJECT_ID_OFFSET, value);
  }

  /** Reads {@code val64}: the value. */
  public static long val64(MemorySegment struct) {
    return struct.get(Layouts.U64, VAL64_OFFSET);
  }

  /** Writes {@code val64}. */
  public static void val64(MemorySegment struct, long value) {
    struct.set(Layouts.U64, VAL64_OFFSET, value);
  }
}
