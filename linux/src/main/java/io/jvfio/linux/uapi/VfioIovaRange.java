package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/** {@code struct vfio_iova_range}: a range of valid IOVAs, both ends within it. */
public final class VfioIovaRange {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(Layouts.U64.withName("start"), Layouts.U64.withName("end"))
          .withName("vfio_iova_range");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long START_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("start"));
  private static final long END_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("end"));

  private VfioIovaRange() {}

  /** Reads {@code start}: first valid address. */
  public static long start(MemorySegment struct) {
    return struct.get(Layouts.U64, START_OFFSET);
  }

  /** Writes {@code start}. */
  public static void start(MemorySegment struct, long value) {
    struct.set(Layouts.U64, START_OFFSET, value);
  }

  /** Reads {@code end}: last valid address. */
  public static long end(MemorySegment struct) {
    return struct.get(Layouts.U64, END_OFFSET);
  }

  /** Writes {@code end}. */
  public static void end(MemorySegment struct, long value) {
    struct.set(Layouts.U64, END_OFFSET, value);
  }
}
