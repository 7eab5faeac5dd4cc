package io.jvfio.sim;

import io.jvfio.linux.Errno;
import java.lang.foreign.MemorySegment;

/**
 * An open file: what a descriptor refers to. It lives until the last descriptor, mapping, or other
 * file that refers to it is gone.
 */
abstract class OpenFile {
  private int references = 1;

  /** Adds a reference. */
  final void retain() {
    references++;
  }

  /** Drops a reference; the last one releases the file. */
  final void drop() {
    if (--references == 0) {
      release();
    }
  }

  /** What its link in {@code /proc/self/fd} says. */
  abstract String path();

  /**
   * Answers an ioctl.
   *
   * @param command the number above VFIO's first, or {@link VfioCommand#UNKNOWN}
   */
  int ioctl(int command, UserArgument argument) throws UserFault {
    return Errno.ENOTTY.result();
  }

  /** Reads at {@code offset}. */
  long pread(MemorySegment target, long offset) {
    return Errno.EINVAL.result();
  }

  /** Writes at {@code offset}. */
  long pwrite(MemorySegment source, long offset) {
    return Errno.EINVAL.result();
  }

  /** Reads from where the file is; may wait. */
  long read(MemorySegment target) {
    return Errno.EINVAL.result();
  }

  /** Writes to where the file is; may wait. */
  long write(MemorySegment source) {
    return Errno.EINVAL.result();
  }

  /** Maps {@code byteSize} bytes at {@code offset}; both are multiples of the page size. */
  long mmap(long byteSize, int protection, int flags, long offset) {
    return Errno.ENODEV.result();
  }

  /** The last reference is gone. */
  void release() {}
}
