// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.interrupt.EventFd;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceIoeventfd;
import java.lang.foreign.Arena;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An eventfd whose signal makes the kernel write a register of a device. Safe for use by several
 * threads. Source: {@code VFIO_DEVICE_IOEVENTFD}.
 */
public final class IoEventFd implements AutoCloseable {
  private static final int REMOVE = -1;

  private final OpenFile file;
  private final String subject;
  private final long fileOffset;
  private final int width;
  private final long value;
  private final EventFd event;
  private final AtomicBoolean closed = new AtomicBoolean();

  private IoEventFd(
      OpenFile file, String subject, long fileOffset, int width, long value, EventFd event) {
    this.file = file;
    this.subject = subject;
    this.fileOffset = fileOffset;
    this.width = width;
    this.value = value;
    this.event = event;
  }

  static IoEventFd open(
      Kernel kernel, OpenFile file, String subject, long fileOffset, int width, long value) {
    try (var undo = new Cleanup()) {
      var event = new EventFd(kernel, subject + ", eventfd");
      undo.add(event::close);
      var opened = new IoEventFd(file, subject, fileOffset, width, value, event);
      opened.set(event.fd());
      undo.release();
      return opened;
    }
  }

  private void set(int fd) {
    try (var arena = Arena.ofConfined()) {
      var struct = VfioDeviceIoeventfd.STRUCT.allocate(arena);
      VfioDeviceIoeventfd.FLAGS.set(struct, width); // a width's bit has the value of the width
      VfioDeviceIoeventfd.OFFSET.set(struct, fileOffset);
      VfioDeviceIoeventfd.DATA.set(struct, value);
      VfioDeviceIoeventfd.FD.set(struct, fd);
      int result = file.ioctl(Vfio.VFIO_DEVICE_IOEVENTFD, struct);
      if (result < 0) {
        var errno = Errno.ofResult(result);
        throw file.answers()
            .ioEventFd(errno)
            .failure(Vfio.VFIO_DEVICE_IOEVENTFD.name(), subject, errno);
      }
    }
  }

  /**
   * The eventfd.
   *
   * @throws IllegalStateException once closed
   */
  public int fileDescriptor() {
    event.enter();
    event.leave();
    return event.fd();
  }

  /**
   * Signals it: the register is written when this returns.
   *
   * @throws IllegalStateException once closed
   */
  public void signal() {
    event.enter();
    try {
      event.signal();
    } finally {
      event.leave();
    }
  }

  /** Ends it. Idempotent. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      try (var steps = new Cleanup()) {
        steps.add(event::close);
        steps.add(() -> set(REMOVE));
      }
    }
  }

  @Override
  public String toString() {
    return subject;
  }
}
