// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A kernel without devices, whose ioctls a test writes; it notes what is opened and closed. */
class FakeKernel implements Kernel {
  static final String STATUS = "/proc/self/status";

  final List<String> log = new ArrayList<>();
  int lockedKilobytes;
  private int nextFd = 10;
  private int statusFd = -1;

  /** What an ioctl with a struct does; overridden by tests. */
  int answer(Ioctl command, MemorySegment struct) {
    return Errno.ENOTTY.result();
  }

  @Override
  public Architecture architecture() {
    return Architecture.X86_64;
  }

  @Override
  public int pageSize() {
    return 4096;
  }

  @Override
  public int open(String path, int flags, int mode) {
    if (path.equals(STATUS)) {
      statusFd = nextFd++;
      return statusFd;
    }
    log.add("open " + path);
    return nextFd++;
  }

  @Override
  public int close(int fd) {
    if (fd == statusFd) {
      return 0;
    }
    log.add("close " + fd);
    return fd < 0 ? Errno.EBADF.result() : 0;
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    log.add("ioctl " + fd + " " + command + " " + argument);
    return fd < 0 ? Errno.EBADF.result() : (int) argument;
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    return fd < 0 ? Errno.EBADF.result() : answer(command, argument);
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    var content =
        fd == statusFd
            ? ("Name:\tjava\nVmLck:\t     " + lockedKilobytes + " kB\nVmPin:\t 7 kB\n")
                .getBytes(StandardCharsets.US_ASCII)
            : new byte[] {1, 2, (byte) 0xff};
    long count = Math.min(content.length, target.byteSize());
    MemorySegment.copy(content, 0, target, ValueLayout.JAVA_BYTE, 0, (int) count);
    return count;
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    return source.byteSize();
  }

  @Override
  public long read(int fd, MemorySegment target) {
    return Errno.EBADF.result();
  }

  @Override
  public long write(int fd, MemorySegment source) {
    return Errno.EBADF.result();
  }

  @Override
  public int eventFd(int initial, int flags) {
    return Errno.EBADF.result();
  }

  @Override
  public int epollCreate() {
    return Errno.EBADF.result();
  }

  @Override
  public int epollControl(int epollFd, int operation, int fd, int events) {
    return Errno.EBADF.result();
  }

  @Override
  public int epollWait(int epollFd, int[] ready, int timeoutMillis) {
    return Errno.EBADF.result();
  }

  @Override
  public int awaitReadable(int fd, int timeoutMillis) {
    return Errno.EBADF.result();
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    return Errno.ENODEV.result();
  }

  @Override
  public int munmap(long address, long byteSize) {
    log.add("munmap " + address);
    return 0;
  }

  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    return Errno.ENOMEM.result();
  }

  @Override
  public int mlock(long address, long byteSize) {
    return Errno.EPERM.result();
  }

  @Override
  public int munlock(long address, long byteSize) {
    return Errno.EPERM.result();
  }

  @Override
  public MemorySegment memory(long address, long byteSize, Arena lifetime) {
    return NativeMemory.at(address, byteSize, lifetime);
  }

  @Override
  public Registers registers(long address, long byteSize, RegisterOrder order) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long lockedMemoryLimit() {
    return NO_LIMIT;
  }

  @Override
  public List<String> list(String directory) {
    return List.of();
  }

  @Override
  public String readLink(String path) {
    return path;
  }
}
