package io.jvfio.sim;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An eventfd: a counter. Who signals it from within the kernel holds the object and not the file,
 * so that closing the descriptor ends what waits for it, and harms nobody who signals it. Source:
 * {@code fs/eventfd.c}.
 */
final class EventFile extends PollableFile {
  /** The counter is unsigned; at its end it stays, and all but that end can be written. */
  private static final long MOST = -1;

  private static final int EFD_SEMAPHORE = 1;
  private static final int EFD_CLOEXEC = 0x80000;

  private final boolean nonBlocking;
  private final boolean semaphore;
  private final boolean exactWrites;
  private long count;

  private EventFile(Host host, long initial, int flags) {
    super(host);
    this.count = initial;
    this.nonBlocking = (flags & Kernel.EFD_NONBLOCK) != 0;
    this.semaphore = (flags & EFD_SEMAPHORE) != 0;
    this.exactWrites = host.description().era() == KernelEra.LINUX_6_12;
  }

  /** Makes one and its descriptor. */
  static int create(Host host, int initial, int flags) {
    if ((flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | Kernel.EFD_NONBLOCK)) != 0) {
      return Errno.EINVAL.result();
    }
    int fd = host.files().lowestFree();
    return fd < 0
        ? fd
        : host.files().install(fd, new EventFile(host, Integer.toUnsignedLong(initial), flags));
  }

  @Override
  String path() {
    return "anon_inode:[eventfd]";
  }

  @Override
  boolean isReadable() {
    return count != 0;
  }

  /** Adds one, as an interrupt does. */
  void signal() {
    if (count != MOST) {
      count++;
    }
    wake();
  }

  /** What there is, which is nothing afterwards. */
  long take() {
    long taken = semaphore && count != 0 ? 1 : count;
    count -= taken;
    host().wakeWaiters(); // there may be room now
    return taken;
  }

  @Override
  long read(MemorySegment target) {
    if (target.byteSize() < Long.BYTES) {
      return Errno.EINVAL.result();
    }
    if (count == 0) {
      if (nonBlocking) {
        return Errno.EAGAIN.result();
      }
      if (!await(() -> count != 0)) {
        return Errno.EBADF.result();
      }
    }
    target.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, take());
    return Long.BYTES;
  }

  @Override
  long write(MemorySegment source) {
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
      if (!await(() -> hasRoom(added))) {
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

  /** Waits with the file held open; false when the host ends first. */
  private boolean await(Host.Condition condition) {
    retain();
    try {
      return host().await(condition, -1);
    } finally {
      drop();
    }
  }
}
