// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import java.lang.foreign.MemorySegment;

/**
 * An open file: what a descriptor refers to. It lives until the last descriptor, mapping, or other
 * file that refers to it is gone.
 */
public abstract class OpenFile {
  private final String path;
  private int references = 1;

  /**
   * A file with one reference.
   *
   * @param path what its link in {@code /proc/self/fd} says
   */
  protected OpenFile(String path) {
    this.path = path;
  }

  /** Adds a reference. */
  public final void retain() {
    references++;
  }

  /** Drops a reference; the last one releases the file. */
  public final void drop() {
    if (--references == 0) {
      release();
    }
  }

  /** What its link in {@code /proc/self/fd} says. */
  public final String path() {
    return path;
  }

  /**
   * Answers an ioctl.
   *
   * @param command the number above VFIO's first, or {@link VfioCommand#UNKNOWN}
   */
  public int ioctl(int command, UserArgument argument) throws UserFault {
    return Errno.ENOTTY.result();
  }

  /** Reads at {@code offset}. */
  public long pread(MemorySegment target, long offset) {
    return Errno.EINVAL.result();
  }

  /** Writes at {@code offset}. */
  public long pwrite(MemorySegment source, long offset) {
    return Errno.EINVAL.result();
  }

  /** Reads from where the file is; may wait. */
  public long read(MemorySegment target) {
    return Errno.EINVAL.result();
  }

  /** Writes to where the file is; may wait. */
  public long write(MemorySegment source) {
    return Errno.EINVAL.result();
  }

  /** Maps {@code byteSize} bytes at {@code offset}; both are multiples of the page size. */
  public long mmap(long byteSize, int protection, int flags, long offset) {
    return Errno.ENODEV.result();
  }

  /** The last reference is gone. */
  protected void release() {}
}
