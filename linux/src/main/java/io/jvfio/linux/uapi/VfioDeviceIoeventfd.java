package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct vfio_device_ioeventfd}: a write to a BAR that the kernel makes when an eventfd is
 * signalled.
 */
public final class VfioDeviceIoeventfd {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U64.withName("offset"),
              Layouts.U64.withName("data"),
              Layouts.U32.withName("fd"),
              MemoryLayout.paddingLayout(4))
          .withName("vfio_device_ioeventfd");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long OFFSET_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("offset"));
  private static final long DATA_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("data"));
  private static final long FD_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("fd"));

  private VfioDeviceIoeventfd() {}

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

  /** Reads {@code flags}: one VFIO_DEVICE_IOEVENTFD_ bit: the width. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code offset}: in the device file. */
  public static long offset(MemorySegment struct) {
    return struct.get(Layouts.U64, OFFSET_OFFSET);
  }

  /** Writes {@code offset}. */
  public static void offset(MemorySegment struct, long value) {
    struct.set(Layouts.U64, OFFSET_OFFSET, value);
  }

  /** Reads {@code data}: the value. */
  public static long data(MemorySegment struct) {
    return struct.get(Layouts.U64, DATA_OFFSET);
  }

  /** Writes {@code data}. */
  public static void data(MemorySegment struct, long value) {
    struct.set(Layouts.U64, DATA_OFFSET, value);
  }

  /** Reads {@code fd}: the eventfd, or -1 to remove it. */
  public static int fd(MemorySegment struct) {
    return struct.get(Layouts.U32, FD_OFFSET);
  }

  /** Writes {@code fd}. */
  public static void fd(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FD_OFFSET, value);
  }
}
