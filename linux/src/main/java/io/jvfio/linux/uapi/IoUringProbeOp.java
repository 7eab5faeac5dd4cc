package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/** {@code struct io_uring_probe_op}: whether the kernel has an operation. */
public final class IoUringProbeOp {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U8.withName("op"),
              Layouts.U8.withName("resv"),
              Layouts.U16.withName("flags"),
              Layouts.U32.withName("resv2"))
          .withName("io_uring_probe_op");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));

  private IoUringProbeOp() {}

  /** Reads {@code flags}: IO_URING_OP_ bits. */
  public static short flags(MemorySegment struct) {
    return struct.get(Layouts.U16, FLAGS_OFFSET);
  }
}
