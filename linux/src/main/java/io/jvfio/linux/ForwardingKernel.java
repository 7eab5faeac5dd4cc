// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static java.util.Objects.requireNonNull;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A kernel that hands every call on to another one; a subclass overrides those that it answers or
 * watches itself.
 *
 * <p>{@link Kernel#readBytes}, {@link Kernel#readText}, {@link Kernel#eventFdFlags}, {@link
 * Kernel#isWritable}, and the shorter forms of {@link #open} and {@link #registers} consist of
 * other calls and are not handed on as a whole, so that a subclass sees what they do.
 */
public abstract class ForwardingKernel implements Kernel {
  private final Kernel kernel;

  /** Hands calls on to {@code kernel}. */
  protected ForwardingKernel(Kernel kernel) {
    this.kernel = requireNonNull(kernel);
  }

  @Override
  public Architecture architecture() {
    return kernel.architecture();
  }

  @Override
  public int pageSize() {
    return kernel.pageSize();
  }

  @Override
  public int open(String path, int flags, int mode) {
    return kernel.open(path, flags, mode);
  }

  @Override
  public int close(int fd) {
    return kernel.close(fd);
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    return kernel.ioctl(fd, command, argument);
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    return kernel.ioctl(fd, command, argument);
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    return kernel.pread(fd, target, offset);
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    return kernel.pwrite(fd, source, offset);
  }

  @Override
  public long read(int fd, MemorySegment target) {
    return kernel.read(fd, target);
  }

  @Override
  public long write(int fd, MemorySegment source) {
    return kernel.write(fd, source);
  }

  @Override
  public long readNow(int fd, MemorySegment target) {
    return kernel.readNow(fd, target);
  }

  @Override
  public long preadv(int fd, MemorySegment vectors, int count, long offset) {
    return kernel.preadv(fd, vectors, count, offset);
  }

  @Override
  public long pwritev(int fd, MemorySegment vectors, int count, long offset) {
    return kernel.pwritev(fd, vectors, count, offset);
  }

  @Override
  public long fileSize(int fd) {
    return kernel.fileSize(fd);
  }

  @Override
  public int truncate(int fd, long byteSize) {
    return kernel.truncate(fd, byteSize);
  }

  @Override
  public int allocate(int fd, int mode, long offset, long byteSize) {
    return kernel.allocate(fd, mode, offset, byteSize);
  }

  @Override
  public int synchronizeData(int fd) {
    return kernel.synchronizeData(fd);
  }

  @Override
  public int lockFile(int fd, boolean isExclusive) {
    return kernel.lockFile(fd, isExclusive);
  }

  @Override
  public int unlockFile(int fd) {
    return kernel.unlockFile(fd);
  }

  @Override
  public FileStatus status(int fd) throws ErrnoException {
    return kernel.status(fd);
  }

  @Override
  public int ioUringSetup(int entries, MemorySegment params) {
    return kernel.ioUringSetup(entries, params);
  }

  @Override
  public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
    return kernel.ioUringEnter(fd, toSubmit, minComplete, flags);
  }

  @Override
  public int ioUringRegister(int fd, int operation, MemorySegment argument, int count) {
    return kernel.ioUringRegister(fd, operation, argument, count);
  }

  @Override
  public int socket() {
    return kernel.socket();
  }

  @Override
  public int socketPair(int[] both) {
    return kernel.socketPair(both);
  }

  @Override
  public int bind(int fd, String path) {
    return kernel.bind(fd, path);
  }

  @Override
  public int connect(int fd, String path) {
    return kernel.connect(fd, path);
  }

  @Override
  public int access(String path, int mode) {
    return kernel.access(path, mode);
  }

  @Override
  public int changeMode(int fd, int mode) {
    return kernel.changeMode(fd, mode);
  }

  @Override
  public int listen(int fd, int backlog) {
    return kernel.listen(fd, backlog);
  }

  @Override
  public int accept(int fd) {
    return kernel.accept(fd);
  }

  @Override
  public int shutdown(int fd) {
    return kernel.shutdown(fd);
  }

  @Override
  public int setSocketOption(int fd, int option, MemorySegment value) {
    return kernel.setSocketOption(fd, option, value);
  }

  @Override
  public int socketOption(int fd, int option) {
    return kernel.socketOption(fd, option);
  }

  @Override
  public long send(int fd, MemorySegment source, long offset, long byteSize, boolean waits) {
    return kernel.send(fd, source, offset, byteSize, waits);
  }

  @Override
  public long sendMessage(int fd, MemorySegment message, boolean waits) {
    return kernel.sendMessage(fd, message, waits);
  }

  @Override
  public long receiveMessage(int fd, MemorySegment message, boolean waits, boolean isLimited) {
    return kernel.receiveMessage(fd, message, waits, isLimited);
  }

  @Override
  public int eventFd(int initial, int flags) {
    return kernel.eventFd(initial, flags);
  }

  @Override
  public int epollCreate() {
    return kernel.epollCreate();
  }

  @Override
  public int epollControl(int epollFd, int operation, int fd, int events) {
    return kernel.epollControl(epollFd, operation, fd, events);
  }

  @Override
  public int epollWait(int epollFd, int[] ready, int timeoutMillis) {
    return kernel.epollWait(epollFd, ready, timeoutMillis);
  }

  @Override
  public int awaitReadable(int fd, int timeoutMillis) {
    return kernel.awaitReadable(fd, timeoutMillis);
  }

  @Override
  public int awaitWritable(int fd, int timeoutMillis) {
    return kernel.awaitWritable(fd, timeoutMillis);
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    return kernel.mmap(byteSize, protection, flags, fd, offset);
  }

  @Override
  public long remap(long address, long byteSize, int protection, int fd, long offset) {
    return kernel.remap(address, byteSize, protection, fd, offset);
  }

  @Override
  public long remapInaccessible(long address, long byteSize) {
    return kernel.remapInaccessible(address, byteSize);
  }

  @Override
  public int munmap(long address, long byteSize) {
    return kernel.munmap(address, byteSize);
  }

  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    return kernel.memoryFile(name, flags, byteSize);
  }

  @Override
  public int mlock(long address, long byteSize) {
    return kernel.mlock(address, byteSize);
  }

  @Override
  public int munlock(long address, long byteSize) {
    return kernel.munlock(address, byteSize);
  }

  @Override
  public MemorySegment memory(long address, long byteSize, Arena lifetime) {
    return kernel.memory(address, byteSize, lifetime);
  }

  @Override
  public Registers registers(long address, long byteSize, RegisterOrder order) {
    return kernel.registers(address, byteSize, order);
  }

  @Override
  public long lockedMemoryLimit() {
    return kernel.lockedMemoryLimit();
  }

  @Override
  public List<String> list(String directory) throws ErrnoException {
    return kernel.list(directory);
  }

  @Override
  public String readLink(String path) throws ErrnoException {
    return kernel.readLink(path);
  }
}
