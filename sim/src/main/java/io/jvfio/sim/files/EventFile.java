// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.sim.setup.KernelEra;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An eventfd: a counter. Who signals it from within the kernel holds the object and not the file,
 * so that closing the descriptor ends what waits for it, and harms nobody who signals it. Source:
 * {@code fs/eventfd.c}.
 */
public final class EventFile extends PollableFile {
  /** The counter is unsigned; at its end it stays, and all but that end can be written. */
  private static final long MOST = -1;

  private static final int EFD_SEMAPHORE = 1;
  private static final int EFD_CLOEXEC = 0x80000;

  private final boolean nonBlocking;
  private final boolean semaphore;
  private final boolean exactWrites;
  private long count;

  private EventFile(HostProcess process, long initial, int flags) {
    super(process, "anon_inode:[eventfd]");
    this.count = initial;
    this.nonBlocking = (flags & Kernel.EFD_NONBLOCK) != 0;
    this.semaphore = (flags & EFD_SEMAPHORE) != 0;
    this.exactWrites = process.era() == KernelEra.LINUX_6_12;
  }

  /** Makes one and its descriptor. */
  public static int create(HostProcess process, int initial, int flags) {
    if ((flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | Kernel.EFD_NONBLOCK)) != 0) {
      return Errno.EINVAL.result();
    }
    int fd = process.files().lowestFree();
    return fd < 0
        ? fd
        : process
            .files()
            .install(fd, new EventFile(process, Integer.toUnsignedLong(initial), flags));
  }

  /** Why a descriptor cannot be signalled: a negated errno, or 0. */
  public static int refusal(HostProcess process, int fd) {
    var file = process.files().get(fd);
    if (file == null) {
      return Errno.EBADF.result();
    }
    return file instanceof EventFile ? 0 : Errno.EINVAL.result();
  }

  /** The eventfd of a descriptor that was not refused. */
  public static EventFile of(HostProcess process, int fd) {
    return (EventFile) requireNonNull(process.files().get(fd));
  }

  @Override
  public boolean isReadable() {
    return count != 0;
  }

  /** Adds one, as an interrupt does. */
  public void signal() {
    if (count != MOST) {
      count++;
    }
    wake();
  }

  /** What there is, which is nothing afterwards. */
  long take() {
    long taken = semaphore && count != 0 ? 1 : count;
    count -= taken;
    process().wakeWaiters(); // there may be room now
    return taken;
  }

  @Override
  public long read(MemorySegment target) {
    if (target.byteSize() < Long.BYTES) {
      return Errno.EINVAL.result();
    }
    if (count == 0) {
      if (nonBlocking) {
        return Errno.EAGAIN.result();
      }
      if (!await(() -> count != 0, -1)) {
        return Errno.EBADF.result();
      }
    }
    target.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, take());
    return Long.BYTES;
  }

  @Override
  public long write(MemorySegment source) {
    long size = source.byteSize();
    if (size < Long.BYTES || (exactWrites && size != Long.BYTES)) {
      return Errno.EINVAL.result();
    }
    long added = source.get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
    if (added == MOST) {
      return Errno.EINVAL.result();
    }
    if (!hasRoom(added)) {
      if (nonBlocking) {
        return Errno.EAGAIN.result();
      }
      if (!await(() -> hasRoom(added), -1)) {
        return Errno.EBADF.result();
      }
    }
    count += added;
    wake();
    return Long.BYTES;
  }

  private boolean hasRoom(long added) {
    return Long.compareUnsigned(MOST - count, added) > 0;
  }
}
