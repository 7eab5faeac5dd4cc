// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U16;

/** {@code struct io_uring_probe_op}: whether the kernel has an operation. */
public final class IoUringProbeOp {
  private static final Struct.Builder FIELDS = Struct.named("io_uring_probe_op");

  /** IO_URING_OP_ bits. */
  public static final U16 FLAGS = FIELDS.unused8("op").unused8("resv").u16("flags");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused32("resv2").build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IoUringProbeOp() {}
}
