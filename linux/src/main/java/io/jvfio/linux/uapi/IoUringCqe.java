// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/** {@code struct io_uring_cqe}: an entry of the completion ring: how one operation ended. */
public final class IoUringCqe {
  private static final Struct.Builder FIELDS = Struct.named("io_uring_cqe");

  /** What the submission carried. */
  public static final U64 USER_DATA = FIELDS.u64("user_data");

  /** The result, or a negated errno. */
  public static final U32 RES = FIELDS.u32("res");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused32("flags").build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IoUringCqe() {}
}
