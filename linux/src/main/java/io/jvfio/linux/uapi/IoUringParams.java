package io.jvfio.linux.uapi;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;

/**
 * {@code struct io_uring_params}: what rings are asked for, and where the kernel put their parts.
 */
public final class IoUringParams {
  /** The struct as the C compiler lays it out. */
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              Layouts.U32.withName("sq_entries"),
              Layouts.U32.withName("cq_entries"),
              Layouts.U32.withName("flags"),
              Layouts.U32.withName("sq_thread_cpu"),
              Layouts.U32.withName("sq_thread_idle"),
              Layouts.U32.withName("features"),
              Layouts.U32.withName("wq_fd"),
              MemoryLayout.paddingLayout(12),
              MemoryLayout.structLayout(
                      Layouts.U32.withName("head"),
                      Layouts.U32.withName("tail"),
                      Layouts.U32.withName("ring_mask"),
                      Layouts.U32.withName("ring_entries"),
                      Layouts.U32.withName("flags"),
                      Layouts.U32.withName("dropped"),
                      Layouts.U32.withName("array"),
                      Layouts.U32.withName("resv1"),
                      MemoryLayout.paddingLayout(8))
                  .withName("sq_off"),
              MemoryLayout.structLayout(
                      Layouts.U32.withName("head"),
                      Layouts.U32.withName("tail"),
                      Layouts.U32.withName("ring_mask"),
                      Layouts.U32.withName("ring_entries"),
                      Layouts.U32.withName("overflow"),
                      Layouts.U32.withName("cqes"),
                      Layouts.U32.withName("flags"),
                      Layouts.U32.withName("resv1"),
                      MemoryLayout.paddingLayout(8))
                  .withName("cq_off"))
          .withName("io_uring_params");

  /** Size in bytes. */
  public static final long SIZE = LAYOUT.byteSize();

  private static final long SQ_ENTRIES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("sq_entries"));
  private static final long CQ_ENTRIES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("cq_entries"));
  private static final long FLAGS_OFFSET = LAYOUT.byteOffset(PathElement.groupElement("flags"));
  private static final long FEATURES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("features"));
  private static final long SQ_OFF_HEAD_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("sq_off"), PathElement.groupElement("head"));
  private static final long SQ_OFF_TAIL_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("sq_off"), PathElement.groupElement("tail"));
  private static final long SQ_OFF_FLAGS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("sq_off"), PathElement.groupElement("flags"));
  private static final long SQ_OFF_ARRAY_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("sq_off"), PathElement.groupElement("array"));
  private static final long CQ_OFF_HEAD_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("cq_off"), PathElement.groupElement("head"));
  private static final long CQ_OFF_TAIL_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("cq_off"), PathElement.groupElement("tail"));
  private static final long CQ_OFF_CQES_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("cq_off"), PathElement.groupElement("cqes"));
  private static final long CQ_OFF_FLAGS_OFFSET =
      LAYOUT.byteOffset(PathElement.groupElement("cq_off"), PathElement.groupElement("flags"));

  private IoUringParams() {}

  /** A zeroed struct. */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    return allocator.allocate(LAYOUT);
  }

  /** Reads {@code sq_entries}: entries of the submission ring, a power of two. */
  public static int sqEntries(MemorySegment struct) {
    return struct.get(Layouts.U32, SQ_ENTRIES_OFFSET);
  }

  /** Reads {@code cq_entries}: entries of the completion ring, a power of two. */
  public static int cqEntries(MemorySegment struct) {
    return struct.get(Layouts.U32, CQ_ENTRIES_OFFSET);
  }

  /** Writes {@code cq_entries}. */
  public static void cqEntries(MemorySegment struct, int value) {
    struct.set(Layouts.U32, CQ_ENTRIES_OFFSET, value);
  }

  /** Writes {@code flags}: IORING_SETUP_ bits. */
  public static void flags(MemorySegment struct, int value) {
    struct.set(Layouts.U32, FLAGS_OFFSET, value);
  }

  /** Reads {@code features}: IORING_FEAT_ bits. */
  public static int features(MemorySegment struct) {
    return struct.get(Layouts.U32, FEATURES_OFFSET);
  }

  /** Reads {@code sq_off.head}: where the ring has the number of submissions taken. */
  public static int sqOffHead(MemorySegment struct) {
    return struct.get(Layouts.U32, SQ_OFF_HEAD_OFFSET);
  }

  /** Reads {@code sq_off.tail}: where it has the number of submissions made. */
  public static int sqOffTail(MemorySegment struct) {
    return struct.get(Layouts.U32, SQ_OFF_TAIL_OFFSET);
  }

  /** Reads {@code sq_off.flags}: where it has the IORING_SQ_ bits. */
  public static int sqOffFlags(MemorySegment struct) {
    return struct.get(Layouts.U32, SQ_OFF_FLAGS_OFFSET);
  }

  /** Reads {@code sq_off.array}: where the indexes of the entries are. */
  public static int sqOffArray(MemorySegment struct) {
    return struct.get(Layouts.U32, SQ_OFF_ARRAY_OFFSET);
  }

  /** Reads {@code cq_off.head}: where the ring has the number of completions taken. */
  public static int cqOffHead(MemorySegment struct) {
    return struct.get(Layouts.U32, CQ_OFF_HEAD_OFFSET);
  }

  /** Reads {@code cq_off.tail}: where it has the number of completions made. */
  public static int cqOffTail(MemorySegment struct) {
    return struct.get(Layouts.U32, CQ_OFF_TAIL_OFFSET);
  }

  /** Reads {@code cq_off.cqes}: where the entries are. */
  public static int cqOffCqes(MemorySegment struct) {
    return struct.get(Layouts.U32, CQ_OFF_CQES_OFFSET);
  }

  /**
   * Reads {@code cq_off.flags}: where it has the IORING_CQ_ bits; 0 before Linux 5.8, which has
   * none.
   */
  public static int cqOffFlags(MemorySegment struct) {
    return struct.get(Layouts.U32, CQ_OFF_FLAGS_OFFSET);
  }
}
