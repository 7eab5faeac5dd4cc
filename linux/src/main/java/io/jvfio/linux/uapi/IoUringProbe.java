package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct io_uring_probe}: what the kernel can do; {@link IoUringProbeOp} for each operation
 * follows.
 */
public final class IoUringProbe {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U8.withName("last_op"),
              Layouts.U8.withName("ops_len"),
              Layouts.U16.withName("resv"),
              MemoryLayout.paddingLayout(12))
          .withName("io_uring_probe");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long LAST_OP_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("last_op"));
  private static final long OPS_LEN_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("ops_len"));

  private IoUringProbe() {}

  /** A zeroed struct with room for {@code operations} of them. */
  public static MemorySegment allocate(SegmentAllocator allocator, int operations) {
    return allocator.allocate(SIZE + operations * IoUringProbeOp.SIZE, LAYOUT.byteAlignment());
  }

  /** What the kernel tells of one operation, by its IORING_OP_ number. */
  public static MemorySegment operation(MemorySegment struct, int opcode) {
    return struct.asSlice(SIZE + opcode * IoUringProbeOp.SIZE, IoUringProbeOp.SIZE);
  }

  /** Reads {@code last_op}: the number of the last operation that the kernel knows. */
  public static byte lastOp(MemorySegment struct) {
    return struct.get(Layouts.U8, LAST_OP_OFFSET);
  }

  /** Reads {@code ops_len}: how many follow. */
  public static byte opsLen(MemorySegment struct) {
    return struct.get(Layouts.U8, OPS_LEN_OFFSET);
  }
}
