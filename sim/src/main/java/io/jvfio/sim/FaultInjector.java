package io.jvfio.sim;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import java.lang.foreign.Arena;
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
 * <p>System calls are counted: those that return a result, {@code list} and {@code readLink}, and
 * the open, read and close that {@link Kernel#readBytes} consists of. Access to memory and
 * registers, and the facts that do not change ({@link #architecture}, {@link #pageSize}, {@link
 * #lockedMemoryLimit}), are not. All methods may be called from any thread.
 */
public final class FaultInjector implements Kernel {
  private final Kernel kernel;
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
    this.kernel = requireNonNull(kernel);
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
  public Architecture architecture() {
    return kernel.architecture();
  }

  @Override
  public int pageSize() {
    return kernel.pageSize();
  }

  @Override
  public int open(String path, int flags) {
    var errno = next("open", path);
    return errno == null ? kernel.open(path, flags) : errno.result();
  }

  @Override
  public int close(int fd) {
    var errno = next("close", fd(fd));
    int result = kernel.close(fd);
    return errno == null ? result : errno.result();
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    var errno = next(command.name(), fd(fd));
    return errno == null ? kernel.ioctl(fd, command, argument) : errno.result();
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    var errno = next(command.name(), fd(fd));
    return errno == null ? kernel.ioctl(fd, command, argument) : errno.result();
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    var errno = next("pread", fd(fd));
    return errno == null ? kernel.pread(fd, target, offset) : errno.result();
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    var errno = next("pwrite", fd(fd));
    return errno == null ? kernel.pwrite(fd, source, offset) : errno.result();
  }

  @Override
  public long read(int fd, MemorySegment target) {
    var errno = next("read", fd(fd));
    return errno == null ? kernel.read(fd, target) : errno.result();
  }

  @Override
  public long write(int fd, MemorySegment source) {
    var errno = next("write", fd(fd));
    return errno == null ? kernel.write(fd, source) : errno.result();
  }

  @Override
  public int eventFd(int initial, int flags) {
    var errno = next("eventfd", Integer.toString(initial));
    return errno == null ? kernel.eventFd(initial, flags) : errno.result();
  }

  @Override
  public int epollCreate() {
    var errno = next("epoll_create1", "");
    return errno == null ? kernel.epollCreate() : errno.result();
  }

  @Override
  public int epollControl(int epollFd, int operation, int fd, int events) {
    var errno = next("epoll_ctl", fd(fd));
    return errno == null ? kernel.epollControl(epollFd, operation, fd, events) : errno.result();
  }

  @Override
  public int epollWait(int epollFd, int[] ready, int timeoutMillis) {
    var errno = next("epoll_wait", fd(epollFd));
    return errno == null ? kernel.epollWait(epollFd, ready, timeoutMillis) : errno.result();
  }

  @Override
  public int awaitReadable(int fd, int timeoutMillis) {
    var errno = next("poll", fd(fd));
    return errno == null ? kernel.awaitReadable(fd, timeoutMillis) : errno.result();
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    var errno = next("mmap", fd(fd));
    return errno == null ? kernel.mmap(byteSize, protection, flags, fd, offset) : errno.result();
  }

  @Override
  public int munmap(long address, long byteSize) {
    var errno = next("munmap", address(address));
    int result = kernel.munmap(address, byteSize);
    return errno == null ? result : errno.result();
  }

  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    var errno = next("memfd_create", name);
    return errno == null ? kernel.memoryFile(name, flags, byteSize) : errno.result();
  }

  @Override
  public int mlock(long address, long byteSize) {
    var errno = next("mlock", address(address));
    return errno == null ? kernel.mlock(address, byteSize) : errno.result();
  }

  @Override
  public int munlock(long address, long byteSize) {
    var errno = next("munlock", address(address));
    return errno == null ? kernel.munlock(address, byteSize) : errno.result();
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
    var errno = next("list", directory);
    if (errno != null) {
      throw new ErrnoException("opendir(" + directory + ")", errno);
    }
    return kernel.list(directory);
  }

  @Override
  public String readLink(String path) throws ErrnoException {
    var errno = next("readLink", path);
    if (errno != null) {
      throw new ErrnoException("readlink(" + path + ")", errno);
    }
    return kernel.readLink(path);
  }
}
