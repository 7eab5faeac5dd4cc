package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct iommu_hw_info}: what the IOMMU of a device can do. */
public final class IommuHwInfo {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("size"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("dev_id"),
              Layouts.U32.withName("data_len"),
              Layouts.U64.withName("data_uptr"),
              Layouts.U32.withName("out_data_type"),
              Layouts.U8.withName("out_max_pasid_log2"),
              MemoryLayout.paddingLayout(3),
              Layouts.U64.withName("out_capabilities"))
          .withName("iommu_hw_info");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SIZE_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("size"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long DEV_ID_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("dev_id"));
  private static final long DATA_LEN_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("data_len"));
  private static final long DATA_UPTR_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("data_uptr"));
  private static final long OUT_DATA_TYPE_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("out_data_type"));
  private static final long OUT_MAX_PASID_LOG2_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("out_max_pasid_log2"));
  private static final long OUT_CAPABILITIES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("out_capabilities"));

  private IommuHwInfo() {}

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

  /** Reads {@code flags}: must be 0. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code dev_id}: the device. */
  public static int devId(MemorySegment struct) {
    return struct.get(Layouts.U32, DEV_ID_OFFSET);
  }

  /** Writes {@code dev_id}. */
  public static void devId(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DEV_ID_OFFSET, value);
  }

  /** Reads {@code data_len}: room for the driver's data; the kernel writes its size. */
  public static int dataLen(MemorySegment struct) {
    return struct.get(Layouts.U32, DATA_LEN_OFFSET);
  }

  /** Writes {@code data_len}. */
  public static void dataLen(MemorySegment struct, int value) {
    struct.set(Layouts.U32, DATA_LEN_OFFSET, value);
  }

  /** Reads {@code data_uptr}: process address for the driver's data. */
  public static long dataUptr(MemorySegment struct) {
    return struct.get(Layouts.U64, DATA_UPTR_OFFSET);
  }

  /** Writes {@code data_uptr}. */
  public static void dataUptr(MemorySegment struct, long value) {
    struct.set(Layouts.U64, DATA_UPTR_OFFSET, value);
  }

  /** Reads {@code out_data_type}: IOMMU_HW_INFO_TYPE_ number. */
  public static int outDataType(MemorySegment struct) {
    return struct.get(Layouts.U32, OUT_DATA_TYPE_OFFSET);
  }

  /** Writes {@code out_data_type}. */
  public static void outDataType(MemorySegment struct, int value) {
    struct.set(Layouts.U32, OUT_DATA_TYPE_OFFSET, value);
  }

  /** Reads {@code out_max_pasid_log2}: width of a PASID in bits. */
  public static byte outMaxPasidLog2(MemorySegment struct) {
    return struct.get(Layouts.U8, OUT_MAX_PASID_LOG2_OFFSET);
  }

  /** Writes {@code out_max_pasid_log2}. */
  public static void outMaxPasidLog2(MemorySegment struct, byte value) {
    struct.set(Layouts.U8, OUT_MAX_PASID_LOG2_OFFSET, value);
  }

  /** Reads {@code out_capabilities}: IOMMU_HW_CAP_ bits. */
  public static long outCapabilities(MemorySegment struct) {
    return struct.get(Layouts.U64, OUT_CAPABILITIES_OFFSET);
  }

  /** Writes {@code out_capabilities}. */
  public static void outCapabilities(MemorySegment struct, long value) {
    struct.set(Layouts.U64, OUT_CAPABILITIES_OFFSET, value);
  }
}
