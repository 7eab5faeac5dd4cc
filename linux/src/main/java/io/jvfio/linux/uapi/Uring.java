// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

/** Constants of {@code linux/io_uring.h}, under the header's own names. */
public final class Uring {
  /** The completion ring is as large as asked for. */
  public static final int IORING_SETUP_CQSIZE = 8;

  /** A submission that is wrong does not keep back those behind it; since Linux 5.18. */
  public static final int IORING_SETUP_SUBMIT_ALL = 0x80;

  /** Both rings are in one mapping; since Linux 5.4. */
  public static final int IORING_FEAT_SINGLE_MMAP = 1;

  /** Completions that find no room are kept; since Linux 5.5. */
  public static final int IORING_FEAT_NODROP = 2;

  /** What offset the rings are mapped from. */
  public static final int IORING_OFF_SQ_RING = 0;

  /** What offset the submissions are mapped from. */
  public static final int IORING_OFF_SQES = 0x10000000;

  /** Completions found no room, and wait for a call; since Linux 5.8. */
  public static final int IORING_SQ_CQ_OVERFLOW = 2;

  /** The eventfd is not signalled; set by us. */
  public static final int IORING_CQ_EVENTFD_DISABLED = 1;

  /** Wait for completions, and look for those that found no room. */
  public static final int IORING_ENTER_GETEVENTS = 1;

  /** The descriptor is the index of a registered file. */
  public static final int IOSQE_FIXED_FILE = 1;

  /** As {@code preadv(2)}. */
  public static final int IORING_OP_READV = 1;

  /** As {@code pwritev(2)}. */
  public static final int IORING_OP_WRITEV = 2;

  /** As {@code fsync(2)}, also of a part. */
  public static final int IORING_OP_FSYNC = 3;

  /** A read into a registered buffer. */
  public static final int IORING_OP_READ_FIXED = 4;

  /** A write from a registered buffer. */
  public static final int IORING_OP_WRITE_FIXED = 5;

  /** Ends an operation before its time. */
  public static final int IORING_OP_ASYNC_CANCEL = 14;

  /** As {@code fallocate(2)}. */
  public static final int IORING_OP_FALLOCATE = 17;

  /** As {@code pread(2)}. */
  public static final int IORING_OP_READ = 22;

  /** As {@code pwrite(2)}. */
  public static final int IORING_OP_WRITE = 23;

  /** As {@code fdatasync(2)}. */
  public static final int IORING_FSYNC_DATASYNC = 1;

  /** All operations that match, not the first; since Linux 5.19. */
  public static final int IORING_ASYNC_CANCEL_ALL = 1;

  /** Every operation matches; since Linux 5.19. */
  public static final int IORING_ASYNC_CANCEL_ANY = 4;

  /** Its argument is an array of {@code struct iovec}. */
  public static final int IORING_REGISTER_BUFFERS = 0;

  /** Its argument is nothing. */
  public static final int IORING_UNREGISTER_BUFFERS = 1;

  /** Its argument is an array of descriptors. */
  public static final int IORING_REGISTER_FILES = 2;

  /** Its argument is nothing. */
  public static final int IORING_UNREGISTER_FILES = 3;

  /** Its argument is a descriptor. */
  public static final int IORING_REGISTER_EVENTFD = 4;

  /** Its argument is {@link IoUringProbe}; since Linux 5.6. */
  public static final int IORING_REGISTER_PROBE = 8;

  /** The kernel has the operation. */
  public static final int IO_URING_OP_SUPPORTED = 1;

  private Uring() {}
}
