// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.FileStatus;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A kernel that counts the calls made to another one and lets chosen ones fail.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="simulated"}
 *
 * <p>A call that is made to fail is not made, with two exceptions that are Linux's own: {@code
 * close} gives the descriptor back whatever it answers, and {@code munmap}, which is treated alike
 * so that a failure of it leaks nothing that a caller could still free.
 *
 * <p>System calls are counted: those that return a result, {@code list}, {@code readLink} and
 * {@code status}, and the open, read and close that {@link Kernel#readBytes} consists of. Access to
 * memory and registers, and the facts that do not change ({@link #architecture}, {@link #pageSize},
 * {@link #lockedMemoryLimit}), are not. All methods may be called from any thread.
 */
public final class FaultInjector extends ForwardingKernel {
  private final List<Call> calls = new ArrayList<>();
  private final List<Rule> rules = new ArrayList<>();

  /**
   * A call that was made, or made to fail.
   *
   * @param index its number, from 0
   * @param operation the system call's name, or the name of the command of an ioctl
   * @param subject the path that it names, or else the descriptor or address
   * @param injected the error that it was made to fail with, or null
   */
  public record Call(int index, String operation, String subject, @Nullable Errno injected) {}

  private record Rule(Predicate<Call> condition, Errno errno) {}

  /** An injector that lets every call through to {@code kernel}. */
  public FaultInjector(Kernel kernel) {
    super(kernel);
  }

  /** Makes call number {@code index}, from 0, fail with {@code errno}. */
  public synchronized FaultInjector failCall(int index, Errno errno) {
    return failWhen(call -> call.index() == index, errno);
  }

  /** Makes every call of one system call or ioctl command fail with {@code errno}. */
  public synchronized FaultInjector failEvery(String operation, Errno errno) {
    return failWhen(call -> call.operation().equals(operation), errno);
  }

  /**
   * Makes each call that meets {@code condition} fail with {@code errno}. Of several conditions the
   * first one met decides.
   */
  public synchronized FaultInjector failWhen(Predicate<Call> condition, Errno errno) {
    rules.add(new Rule(requireNonNull(condition), requireNonNull(errno)));
    return this;
  }

  /** Lets every call through from now on. */
  public synchronized FaultInjector failNone() {
    rules.clear();
    return this;
  }

  /** The calls so far, in order. */
  public synchronized List<Call> calls() {
    return List.copyOf(calls);
  }

  private @Nullable Errno next(String operation, String subject) {
    return record(operation, subject).injected();
  }

  private int call(String operation, String subject, IntSupplier call) {
    var errno = next(operation, subject);
    return errno == null ? call.getAsInt() : errno.result();
  }

  private long call(String operation, String subject, LongSupplier call) {
    var errno = next(operation, subject);
    return errno == null ? call.getAsLong() : errno.result();
  }

  private void check(String operation, String subject, String shown) throws ErrnoException {
    var errno = next(operation, subject);
    if (errno != null) {
      throw new ErrnoException(shown, errno);
    }
  }

  private synchronized Call record(String operation, String subject) {
    var call = new Call(calls.size(), operation, subject, null);
    for (var rule : rules) {
      if (rule.condition().test(call)) {
        call = new Call(call.index(), operation, subject, rule.errno());
        break;
      }
    }
    calls.add(call);
    return call;
  }

  private static String fd(int fd) {
    return Integer.toString(fd);
  }

  private static String address(long address) {
    return "0x" + Long.toHexString(address);
  }

  @Override
  public int open(String path, int flags, int mode) {
    return call("open", path, () -> super.open(path, flags, mode));
  }

  @Override
  public int close(int fd) {
    var errno = next("close", fd(fd));
    int result = super.close(fd);
    return errno == null ? result : errno.result();
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    return call(command.name(), fd(fd), () -> super.ioctl(fd, command, argument));
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    return call(command.name(), fd(fd), () -> super.ioctl(fd, command, argument));
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    return call("pread", fd(fd), () -> super.pread(fd, target, offset));
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    return call("pwrite", fd(fd), () -> super.pwrite(fd, source, offset));
  }

  @Override
  public long read(int fd, MemorySegment target) {
    return call("read", fd(fd), () -> super.read(fd, target));
  }

  @Override
  public long write(int fd, MemorySegment source) {
    return call("write", fd(fd), () -> super.write(fd, source));
  }

  @Override
  public long readNow(int fd, MemorySegment target) {
    return call("preadv2", fd(fd), () -> super.readNow(fd, target));
  }

  @Override
  public long preadv(int fd, MemorySegment vectors, int count, long offset) {
    return call("preadv", fd(fd), () -> super.preadv(fd, vectors, count, offset));
  }

  @Override
  public long pwritev(int fd, MemorySegment vectors, int count, long offset) {
    return call("pwritev", fd(fd), () -> super.pwritev(fd, vectors, count, offset));
  }

  @Override
  public long fileSize(int fd) {
    return call("lseek", fd(fd), () -> super.fileSize(fd));
  }

  @Override
  public int truncate(int fd, long byteSize) {
    return call("ftruncate", fd(fd), () -> super.truncate(fd, byteSize));
  }

  @Override
  public int allocate(int fd, int mode, long offset, long byteSize) {
    return call("fallocate", fd(fd), () -> super.allocate(fd, mode, offset, byteSize));
  }

  @Override
  public int synchronizeData(int fd) {
    return call("fdatasync", fd(fd), () -> super.synchronizeData(fd));
  }

  @Override
  public int lockFile(int fd, boolean isExclusive) {
    return call("fcntl", fd(fd), () -> super.lockFile(fd, isExclusive));
  }

  @Override
  public int unlockFile(int fd) {
    return call("fcntl", fd(fd), () -> super.unlockFile(fd));
  }

  @Override
  public FileStatus status(int fd) throws ErrnoException {
    check("statx", fd(fd), "statx(fd " + fd + ")");
    return super.status(fd);
  }

  @Override
  public int ioUringSetup(int entries, MemorySegment params) {
    return call(
        "io_uring_setup", Integer.toString(entries), () -> super.ioUringSetup(entries, params));
  }

  @Override
  public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
    return call(
        "io_uring_enter", fd(fd), () -> super.ioUringEnter(fd, toSubmit, minComplete, flags));
  }

  @Override
  public int ioUringRegister(int fd, int operation, MemorySegment argument, int count) {
    return call(
        "io_uring_register", fd(fd), () -> super.ioUringRegister(fd, operation, argument, count));
  }

  @Override
  public int socket() {
    return call("socket", "", () -> super.socket());
  }

  @Override
  public int socketPair(int[] both) {
    return call("socketpair", "", () -> super.socketPair(both));
  }

  @Override
  public int bind(int fd, String path) {
    return call("bind", path, () -> super.bind(fd, path));
  }

  @Override
  public int connect(int fd, String path) {
    return call("connect", path, () -> super.connect(fd, path));
  }

  @Override
  public int access(String path, int mode) {
    return call("access", path, () -> super.access(path, mode));
  }

  @Override
  public int changeMode(int fd, int mode) {
    return call("fchmod", fd(fd), () -> super.changeMode(fd, mode));
  }

  @Override
  public int listen(int fd, int backlog) {
    return call("listen", fd(fd), () -> super.listen(fd, backlog));
  }

  @Override
  public int accept(int fd) {
    return call("accept4", fd(fd), () -> super.accept(fd));
  }

  @Override
  public int shutdown(int fd) {
    return call("shutdown", fd(fd), () -> super.shutdown(fd));
  }

  @Override
  public int setSocketOption(int fd, int option, MemorySegment value) {
    return call("setsockopt", fd(fd), () -> super.setSocketOption(fd, option, value));
  }

  @Override
  public int socketOption(int fd, int option) {
    return call("getsockopt", fd(fd), () -> super.socketOption(fd, option));
  }

  @Override
  public long send(int fd, MemorySegment source, long offset, long byteSize, boolean waits) {
    return call("send", fd(fd), () -> super.send(fd, source, offset, byteSize, waits));
  }

  @Override
  public long sendMessage(int fd, MemorySegment message, boolean waits) {
    return call("sendmsg", fd(fd), () -> super.sendMessage(fd, message, waits));
  }

  @Override
  public long receiveMessage(int fd, MemorySegment message, boolean waits, boolean isLimited) {
    return call("recvmsg", fd(fd), () -> super.receiveMessage(fd, message, waits, isLimited));
  }

  @Override
  public int eventFd(int initial, int flags) {
    return call("eventfd", Integer.toString(initial), () -> super.eventFd(initial, flags));
  }

  @Override
  public int epollCreate() {
    return call("epoll_create1", "", () -> super.epollCreate());
  }

  @Override
  public int epollControl(int epollFd, int operation, int fd, int events) {
    return call("epoll_ctl", fd(fd), () -> super.epollControl(epollFd, operation, fd, events));
  }

  @Override
  public int epollWait(int epollFd, int[] ready, int timeoutMillis) {
    return call("epoll_wait", fd(epollFd), () -> super.epollWait(epollFd, ready, timeoutMillis));
  }

  @Override
  public int awaitReadable(int fd, int timeoutMillis) {
    return call("poll", fd(fd), () -> super.awaitReadable(fd, timeoutMillis));
  }

  @Override
  public int awaitWritable(int fd, int timeoutMillis) {
    return call("poll", fd(fd), () -> super.awaitWritable(fd, timeoutMillis));
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    return call("mmap", fd(fd), () -> super.mmap(byteSize, protection, flags, fd, offset));
  }

  @Override
  public long remap(long address, long byteSize, int protection, int fd, long offset) {
    return call("mmap", fd(fd), () -> super.remap(address, byteSize, protection, fd, offset));
  }

  @Override
  public long remapInaccessible(long address, long byteSize) {
    return call("mmap", address(address), () -> super.remapInaccessible(address, byteSize));
  }

  @Override
  public int munmap(long address, long byteSize) {
    var errno = next("munmap", address(address));
    int result = super.munmap(address, byteSize);
    return errno == null ? result : errno.result();
  }

  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    return call("memfd_create", name, () -> super.memoryFile(name, flags, byteSize));
  }

  @Override
  public int mlock(long address, long byteSize) {
    return call("mlock", address(address), () -> super.mlock(address, byteSize));
  }

  @Override
  public int munlock(long address, long byteSize) {
    return call("munlock", address(address), () -> super.munlock(address, byteSize));
  }

  @Override
  public List<String> list(String directory) throws ErrnoException {
    check("list", directory, "opendir(" + directory + ")");
    return super.list(directory);
  }

  @Override
  public String readLink(String path) throws ErrnoException {
    check("readLink", path, "readlink(" + path + ")");
    return super.readLink(path);
  }

  @Override
  public synchronized String toString() {
    return "fault injector, %d rules, %d calls seen".formatted(rules.size(), calls.size());
  }
}
