// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/** The owner of one file descriptor. */
public final class OpenFile implements AutoCloseable {
  private final Kernel kernel;
  private final String name;
  private final int fd;
  private final DeviceAnswers answers;
  private final AtomicBoolean closed = new AtomicBoolean();

  /** Takes ownership of {@code fd}, a file of the kernel's. */
  public OpenFile(Kernel kernel, String name, int fd) {
    this(kernel, name, fd, KernelAnswers.INSTANCE);
  }

  /** Takes ownership of {@code fd}, whose errors mean what {@code answers} says. */
  public OpenFile(Kernel kernel, String name, int fd, DeviceAnswers answers) {
    this.kernel = kernel;
    this.name = name;
    this.fd = fd;
    this.answers = answers;
  }

  /** What messages call it. */
  public String name() {
    return name;
  }

  /** The descriptor, for calls that take it as an argument. */
  public int fd() {
    // Opaque: whoever closes a file while another thread uses it has a race that no fence ends.
    if (closed.getOpaque()) {
      throw new IllegalStateException(name + " is closed");
    }
    return fd;
  }

  /** What its errors mean. */
  public DeviceAnswers answers() {
    return answers;
  }

  public boolean isClosed() {
    return closed.get();
  }

  public int ioctl(Ioctl command, long argument) {
    return kernel.ioctl(fd(), command, argument);
  }

  public int ioctl(Ioctl command, MemorySegment argument) {
    return kernel.ioctl(fd(), command, argument);
  }

  public long read(MemorySegment target, long offset) {
    return kernel.pread(fd(), target, offset);
  }

  public long write(MemorySegment source, long offset) {
    return kernel.pwrite(fd(), source, offset);
  }

  public long map(long byteSize, int protection, long offset) {
    return kernel.mmap(byteSize, protection, Kernel.MAP_SHARED, fd(), offset);
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      int result = kernel.close(fd);
      if (result < 0) {
        throw new VfioException(
            "close",
            name,
            Errno.ofResult(result),
            "The kernel has released the descriptor all the same.",
            "If the error is EBADF, other code of this process closed it.");
      }
    }
  }
}
