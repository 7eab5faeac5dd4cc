package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_device_bind_iommufd}: gives a device of a character device of its own to an
 * iommufd.
 */
public final class VfioDeviceBindIommufd {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("iommufd"),
              Layouts.U32.withName("out_devid"))
          .withName("vfio_device_bind_iommufd");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long IOMMUFD_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("iommufd"));
  private static final long OUT_DEVID_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("out_devid"));

  /** {@code VFIO_DEVICE_BIND_FLAG_TOKEN}. */
  private static final int FLAG_TOKEN = 1;

  private VfioDeviceBindIommufd() {}

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

  /**
   * A struct as kernels since 6.17 take it: eight bytes longer, with the process address of a VF
   * token of 16 bytes, and the flag that says so.
   */
  public static MemorySegment allocate(SegmentAllocator allocator, MemorySegment token) {
    var struct = allocator.allocate(SIZE + Long.BYTES, Long.BYTES);
    argsz(struct, (int) struct.byteSize());
    flags(struct, FLAG_TOKEN);
    struct.set(Layouts.U64, SIZE, token.address());
    return struct;
  }

  /** Reads {@code flags}: 0, or that there is a token. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code iommufd}: descriptor of the iommufd. */
  public static int iommufd(MemorySegment struct) {
    return struct.get(Layouts.U32, IOMMUFD_OFFSET);
  }

  /** Writes {@code iommufd}. */
  public static void iommufd(MemorySegment struct, int value) {
    struct.set(Layouts.U32, IOMMUFD_OFFSET, value);
  }

  /** Reads {@code out_devid}: the device in the iommufd, written by the kernel. */
  public static int outDevid(MemorySegment struct) {
    return struct.get(Layouts.U32, OUT_DEVID_OFFSET);
  }

  /** Writes {@code out_devid}. */
  public static void outDevid(MemorySegment struct, int value) {
    struct.set(Layouts.U32, OUT_DEVID_OFFSET, value);
  }
}
