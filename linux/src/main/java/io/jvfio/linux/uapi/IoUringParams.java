// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct io_uring_params}: what rings are asked for, and where the kernel put their parts.
 */
public final class IoUringParams {
  private static final Struct.Builder FIELDS = Struct.named("io_uring_params");

  /** Entries of the submission ring, a power of two. */
  public static final U32 SQ_ENTRIES = FIELDS.u32("sq_entries");

  /** Entries of the completion ring, a power of two. */
  public static final U32 CQ_ENTRIES = FIELDS.u32("cq_entries");

  /** IORING_SETUP_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** IORING_FEAT_ bits. */
  public static final U32 FEATURES =
      FIELDS.unused32("sq_thread_cpu").unused32("sq_thread_idle").u32("features");

  /** Where the ring has the number of submissions taken. */
  public static final U32 SQ_OFF_HEAD =
      FIELDS.unused32("wq_fd").padding(12).begin("sq_off").u32("head");

  /** Where it has the number of submissions made. */
  public static final U32 SQ_OFF_TAIL = FIELDS.u32("tail");

  /** Where it has the IORING_SQ_ bits. */
  public static final U32 SQ_OFF_FLAGS =
      FIELDS.unused32("ring_mask").unused32("ring_entries").u32("flags");

  /** Where the indexes of the entries are. */
  public static final U32 SQ_OFF_ARRAY = FIELDS.unused32("dropped").u32("array");

  /** Where the ring has the number of completions taken. */
  public static final U32 CQ_OFF_HEAD =
      FIELDS.unused32("resv1").padding(8).end().begin("cq_off").u32("head");

  /** Where it has the number of completions made. */
  public static final U32 CQ_OFF_TAIL = FIELDS.u32("tail");

  /** Where the entries are. */
  public static final U32 CQ_OFF_CQES =
      FIELDS.unused32("ring_mask").unused32("ring_entries").unused32("overflow").u32("cqes");

  /** Where it has the IORING_CQ_ bits; 0 before Linux 5.8, which has none. */
  public static final U32 CQ_OFF_FLAGS = FIELDS.u32("flags");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused32("resv1").padding(8).end().build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private IoUringParams() {}
}
