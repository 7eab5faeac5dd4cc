package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/** {@code struct io_uring_cqe}: an entry of the completion ring: how one operation ended. */
public final class IoUringCqe {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U64.withName("user_data"),
              Layouts.U32.withName("res"),
              Layouts.U32.withName("flags"))
          .withName("io_uring_cqe");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long USER_DATA_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("user_data"));
  private static final long RES_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("res"));

  private IoUringCqe() {}

  /** Reads {@code user_data}: what the submission carried. */
  public static long userData(MemorySegment struct) {
    return struct.get(Layouts.U64, USER_DATA_OFFSET);
  }

  /** Reads {@code res}: the result, or a negated errno. */
  public static int res(MemorySegment struct) {
    return struct.get(Layouts.U32, RES_OFFSET);
  }
}
