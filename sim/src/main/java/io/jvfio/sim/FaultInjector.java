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
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A kernel that counts the calls made to another one and lets chosen ones fail.
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
    var errno = next("open", path);
    return errno == null ? super.open(path, flags, mode) : errno.result();
  }

  @Override
  public int close(int fd) {
    var errno = next("close", fd(fd));
    int result = super.close(fd);
    return errno == null ? result : errno.result();
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    var errno = next(command.name(), fd(fd));
    return errno == null ? super.ioctl(fd, command, argument) : errno.result();
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    var errno = next(command.name(), fd(fd));
    return errno == null ? super.ioctl(fd, command, argument) : errno.result();
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    var errno = next("pread", fd(fd));
    return errno == null ? super.pread(fd, target, offset) : errno.result();
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    var errno = next("pwrite", fd(fd));
    return errno == null ? super.pwrite(fd, source, offset) : errno.result();
  }

  @Override
  public long read(int fd, MemorySegment target) {
    var errno = next("read", fd(fd));
    return errno == null ? super.read(fd, target) : errno.result();
  }

  @Override
  public long write(int fd, MemorySegment source) {
    var errno = next("write", fd(fd));
    return errno == null ? super.write(fd, source) : errno.result();
  }

  @Override
  public long preadv(int fd, MemorySegment vectors, int count, long offset) {
    var errno = next("preadv", fd(fd));
    return errno == null ? super.preadv(fd, vectors, count, offset) : errno.result();
  }

  @Override
  public long pwritev(int fd, MemorySegment vectors, int count, long offset) {
    var errno = next("pwritev", fd(fd));
    return errno == null ? super.pwritev(fd, vectors, count, offset) : errno.result();
  }

  @Override
  public long fileSize(int fd) {
    var errno = next("lseek", fd(fd));
    return errno == null ? super.fileSize(fd) : errno.result();
  }

  @Override
  public int truncate(int fd, long byteSize) {
    var errno = next("ftruncate", fd(fd));
    return errno == null ? super.truncate(fd, byteSize) : errno.result();
  }

  @Override
  public int allocate(int fd, int mode, long offset, long byteSize) {
    var errno = next("fallocate", fd(fd));
    return errno == null ? super.allocate(fd, mode, offset, byteSize) : errno.result();
  }

  @Override
  public int synchronizeData(int fd) {
    var errno = next("fdatasync", fd(fd));
    return errno == null ? super.synchronizeData(fd) : errno.result();
  }

  @Override
  public int lockFile(int fd, boolean isExclusive) {
    var errno = next("fcntl", fd(fd));
    return errno == null ? super.lockFile(fd, isExclusive) : errno.result();
  }

  @Override
  public int unlockFile(int fd) {
    var errno = next("fcntl", fd(fd));
    return errno == null ? super.unlockFile(fd) : errno.result();
  }

  @Override
  public FileStatus status(int fd) throws ErrnoException {
    var errno = next("statx", fd(fd));
    if (errno != null) {
      throw new ErrnoException("statx(fd " + fd + ")", errno);
    }
    return super.status(fd);
  }

  @Override
  public int ioUringSetup(int entries, MemorySegment params) {
    var errno = next("io_uring_setup", Integer.toString(entries));
    return errno == null ? super.ioUringSetup(entries, params) : errno.result();
  }

  @Override
  public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
    var errno = next("io_uring_enter", fd(fd));
    return errno == null ? super.ioUringEnter(fd, toSubmit, minComplete, flags) : errno.result();
  }

  @Override
  public int ioUringRegister(int fd, int operation, MemorySegment argument, int count) {
    var errno = next("io_uring_register", fd(fd));
    return errno == null ? super.ioUringRegister(fd, operation, argument, count) : errno.result();
  }

  @Override
  public int eventFd(int initial, int flags) {
    var errno = next("eventfd", Integer.toString(initial));
    return errno == null ? super.eventFd(initial, flags) : errno.result();
  }

  @Override
  public int epollCreate() {
    var errno = next("epoll_create1", "");
    return errno == null ? super.epollCreate() : errno.result();
  }

  @Override
  public int epollControl(int epollFd, int operation, int fd, int events) {
    var errno = next("epoll_ctl", fd(fd));
    return errno == null ? super.epollControl(epollFd, operation, fd, events) : errno.result();
  }

  @Override
  public int epollWait(int epollFd, int[] ready, int timeoutMillis) {
    var errno = next("epoll_wait", fd(epollFd));
    return errno == null ? super.epollWait(epollFd, ready, timeoutMillis) : errno.result();
  }

  @Override
  public int awaitReadable(int fd, int timeoutMillis) {
    var errno = next("poll", fd(fd));
    return errno == null ? super.awaitReadable(fd, timeoutMillis) : errno.result();
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    var errno = next("mmap", fd(fd));
    return errno == null ? super.mmap(byteSize, protection, flags, fd, offset) : errno.result();
  }

  @Override
  public int munmap(long address, long byteSize) {
    var errno = next("munmap", address(address));
    int result = super.munmap(address, byteSize);
    return errno == null ? result : errno.result();
  }

  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    var errno = next("memfd_create", name);
    return errno == null ? super.memoryFile(name, flags, byteSize) : errno.result();
  }

  @Override
  public int mlock(long address, long byteSize) {
    var errno = next("mlock", address(address));
    return errno == null ? super.mlock(address, byteSize) : errno.result();
  }

  @Override
  public int munlock(long address, long byteSize) {
    var errno = next("munlock", address(address));
    return errno == null ? super.munlock(address, byteSize) : errno.result();
  }

  @Override
  public List<String> list(String directory) throws ErrnoException {
    var errno = next("list", directory);
    if (errno != null) {
      throw new ErrnoException("opendir(" + directory + ")", errno);
    }
    return super.list(directory);
  }

  @Override
  public String readLink(String path) throws ErrnoException {
    var errno = next("readLink", path);
    if (errno != null) {
      throw new ErrnoException("readlink(" + path + ")", errno);
    }
    return super.readLink(path);
  }
}
