package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_precopy_info}: how much device data there is while the device still runs. */
public final class VfioPrecopyInfo {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("argsz"),
              Layouts.U32.withName("flags"),
              Layouts.U64.withName("initial_bytes"),
              Layouts.U64.withName("dirty_bytes"))
          .withName("vfio_precopy_info");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long ARGSZ_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("argsz"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long INITIAL_BYTES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("initial_bytes"));
  private static final long DIRTY_BYTES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("dirty_bytes"));

  private VfioPrecopyInfo() {}

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

  /** Reads {@code flags}: VFIO_PRECOPY_INFO_ bits. */
  public static int flags(MemorySegment struct) {
    return struct.get(Layouts.U32, FLAGS_OFFSET);
  }

  /** Writes {@code flags}. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code initial_bytes}: what the destination should have early. */
  public static long initialBytes(MemorySegment struct) {
    return struct.get(Layouts.U64, INITIAL_BYTES_OFFSET);
  }

  /** Writes {@code initial_bytes}. */
  public static void initialBytes(MemorySegment struct, long value) {
    struct.set(Layouts.U64, INITIAL_BYTES_OFFSET, value);
  }

  /** Reads {@code dirty_bytes}: what changed since. */
  public static long dirtyBytes(MemorySegment struct) {
    return struct.get(Layouts.U64, DIRTY_BYTES_OFFSET);
  }

  /** Writes {@code dirty_bytes}. */
  public static void dirtyBytes(MemorySegment struct, long value) {
    struct.set(Layouts.U64, DIRTY_BYTES_OFFSET, value);
  }
}
