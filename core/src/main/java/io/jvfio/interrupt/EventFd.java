// SPDX-License-Identifier: Apache-2.0
package io.jvfio.interrupt;

import io.jvfio.VfioException;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.Explanations;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The owner of one eventfd, non-blocking. Whoever uses the descriptor does so between {@link
 * #enter} and {@link #leave}, so that it is not closed under a system call, which would then be
 * made on a file that got its number. Nothing is allocated after construction.
 */
public final class EventFd {
  private static final long ONE_OFFSET = Long.BYTES;

  private final Kernel kernel;
  private final String name;
  private final int fd;

  /** What was read, and a one to be written; of an automatic arena, for a late call to find. */
  private final MemorySegment buffer = Arena.ofAuto().allocate(2 * Long.BYTES, Long.BYTES);

  private final MemorySegment count = buffer.asSlice(0, Long.BYTES);
  private final MemorySegment one = buffer.asSlice(ONE_OFFSET, Long.BYTES);

  /** How many calls are under way; guarded by this. */
  private int users;

  /** Guarded by this. */
  private boolean closing;

  /** Guarded by this. */
  private boolean closed;

  /**
   * Makes one.
   *
   * @param name what messages call it
   */
  public EventFd(Kernel kernel, String name) {
    this.kernel = kernel;
    this.name = name;
    one.set(ValueLayout.JAVA_LONG, 0, 1);
    int result = kernel.eventFd(0, Kernel.EFD_NONBLOCK);
    if (result < 0) {
      throw failure("eventfd", Errno.ofResult(result));
    }
    fd = result;
  }

  private VfioException failure(String operation, Errno errno) {
    return Explanations.eventFd(errno).failure(operation, name, errno);
  }

  /** What messages call it. */
  String name() {
    return name;
  }

  /** The descriptor, to be used between {@link #enter} and {@link #leave}. */
  public int fd() {
    return fd;
  }

  /**
   * Begins to use it.
   *
   * @throws IllegalStateException if it is closed, or about to be
   */
  public synchronized void enter() {
    if (closing) {
      throw closedException();
    }
    users++;
  }

  IllegalStateException closedException() {
    return new IllegalStateException(name + " is closed");
  }

  public synchronized void leave() {
    if (--users == 0 && closing) {
      notifyAll();
    }
  }

  synchronized boolean isClosing() {
    return closing;
  }

  /** What was signalled since the last time, 0 for nothing. */
  synchronized long take() {
    long result = kernel.read(fd, count);
    if (result == Errno.EAGAIN.result()) {
      return 0;
    }
    if (result < 0) {
      throw failure("read", Errno.ofResult(result));
    }
    return count.get(ValueLayout.JAVA_LONG, 0);
  }

  /** Waits until it is signalled or about to be closed. */
  void awaitReadable(int timeoutMillis) {
    int result = kernel.awaitReadable(fd, timeoutMillis);
    if (result < 0) {
      throw failure("poll", Errno.ofResult(result));
    }
  }

  /** Adds one. A counter that is full is signalled already. */
  public void signal() {
    long result = kernel.write(fd, one);
    if (result < 0 && result != Errno.EAGAIN.result()) {
      throw failure("write", Errno.ofResult(result));
    }
  }

  /** From now on nobody can begin to use it; the first step of closing. */
  synchronized void beginClose() {
    closing = true;
  }

  /** Wakes those who wait, lets them end, and closes the descriptor. Idempotent. */
  public void close() {
    synchronized (this) {
      closing = true;
      if (closed) {
        return;
      }
      closed = true;
    }
    try (var steps = new Cleanup()) {
      steps.add(this::closeDescriptor);
      steps.add(this::awaitUsers);
      if (isInUse()) {
        steps.add(this::signal);
      }
    }
  }

  private synchronized boolean isInUse() {
    return users > 0;
  }

  /** They end soon: they were woken, and nobody waits for longer than a slice. */
  private synchronized void awaitUsers() {
    boolean interrupted = false;
    while (users > 0) {
      try {
        wait();
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void closeDescriptor() {
    int result = kernel.close(fd);
    if (result < 0) {
      throw failure("close", Errno.ofResult(result));
    }
  }
}
