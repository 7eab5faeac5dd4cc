// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U8;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * {@code struct io_uring_probe}: what the kernel can do; {@link IoUringProbeOp} for each operation
 * follows.
 */
public final class IoUringProbe {
  private static final Struct.Builder FIELDS = Struct.named("io_uring_probe");

  /** The number of the last operation that the kernel knows. */
  public static final U8 LAST_OP = FIELDS.u8("last_op");

  /** How many follow. */
  public static final U8 OPS_LEN = FIELDS.u8("ops_len");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused16("resv").padding(12).build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IoUringProbe() {}

  /** A zeroed struct with room for {@code operations} of them. */
  public static MemorySegment allocate(SegmentAllocator allocator, int operations) {
    return allocator.allocate(
        BYTES + operations * IoUringProbeOp.BYTES, STRUCT.layout().byteAlignment());
  }

  /** What the kernel tells of one operation, by its IORING_OP_ number. */
  public static MemorySegment operation(MemorySegment struct, int opcode) {
    return struct.asSlice(BYTES + opcode * IoUringProbeOp.BYTES, IoUringProbeOp.BYTES);
  }
}
