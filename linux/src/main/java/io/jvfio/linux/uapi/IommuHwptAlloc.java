package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_hwpt_alloc}: makes a hardware page table (HWPT). */
public final class IommuHwptAlloc {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("dev_id"),
              Layouts.U32.withName("pt_id"),
              Layouts.U32.withName("out_hwpt_id"),
              Layouts.U32.withName("__reserved"),
              Layouts.U32.withName("data_type"),
              Layouts.U32.withName("data_len"),
              Layouts.U64.withName("data_uptr"),
              Layouts.U32.withName("fault_id"),
              Layouts.U32.withName("__reserved2"))
          .withName("iommu_hwpt_alloc");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long DEV_ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("dev_id"));
  private static final long PT_ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("pt_id"));
  private static final long OUT_HWPT_ID_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("out_hwpt_id"));
  private static final long DATA_TYPE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("data_type"));
  private static final long DATA_LEN_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("data_len"));
  private static final long DATA_UPTR_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("data_uptr"));
  private static final long FAULT_ID_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("fault_id"));

  private IommuHwptAlloc() {}

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

  /** Reads {@code flags}: IOMMU_HWPT_ALLOC_ bits. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code dev_id}: the device it is made for. */
  public static int devId(MemorySegment struct) {
    return struct.get(Layouts.U32, DEV_ID_OFFSET);
  }

  /** Writes {@code dev_id}. */
  public static void devId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DEV_ID_OFFSET, value);
  }

  /** Reads {@code pt_id}: the IOAS that it translates. */
  public static int ptId(MemorySegment struct) {
    return struct.get(Layouts.U32, PT_ID_OFFSET);
  }

  /** Writes {@code pt_id}. */
  public static void ptId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, PT_ID_OFFSET, value);
  }

  /** Reads {@code out_hwpt_id}: the new HWPT, written by the kernel. */
  public static int outHwptId(MemorySegment struct) {
    return struct.get(Layouts.U32, OUT_HWPT_ID_OFFSET);
  }

  /** Writes {@code out_hwpt_id}. */
  public static void outHwptId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, OUT_HWPT_ID_OFFSET, value);
  }

  /** Reads {@code data_type}: IOMMU_HWPT_DATA_NONE. */
  public static int dataType(MemorySegment struct) {
    return struct.get(Layouts.U32, DATA_TYPE_OFFSET);
  }

  /** Writes {@code data_type}. */
  public static void dataType(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DATA_TYPE_OFFSET, value);
  }

  /** Reads {@code data_len}: in bytes. */
  public static int dataLen(MemorySegment struct) {
    return struct.get(Layouts.U32, DATA_LEN_OFFSET);
  }

  /** Writes {@code data_len}. */
  public static void dataLen(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DATA_LEN_OFFSET, value);
  }

  /** Reads {@code data_uptr}: process address of data for the driver. */
  public static long dataUptr(MemorySegment struct) {
    return struct.get(Layouts.U64, DATA_UPTR_OFFSET);
  }

  /** Writes {@code data_uptr}. */
  public static void dataUptr(MemorySegment struct, long value) {
    struct.set(Layouts.U64, DATA_UPTR_OFFSET, value);
  }

  /** Reads {@code fault_id}: the fault queue. */
  public static int faultId(MemorySegment struct) {
    return struct.get(Layouts.U32, FAULT_ID_OFFSET);
  }

  /** Writes {@code fault_id}. */
  public static void faultId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FAULT_ID_OFFSET, value);
  }
}
