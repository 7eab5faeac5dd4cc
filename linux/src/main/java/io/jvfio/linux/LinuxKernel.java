// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * The kernel that this JVM runs on, called through {@link java.lang.foreign}.
 *
 * <p>Each function is linked at its first use, in a holder class of its own: linking costs tens of
 * milliseconds, and a command that needs no ioctl should not pay for one. Errno is captured per
 * thread, in the same transition as the call.
 */
public final class LinuxKernel implements Kernel {
  private static final int O_CLOEXEC = 0x80000;
  private static final int RLIMIT_MEMLOCK = 8;
  private static final int MFD_CLOEXEC = 1;
  private static final int PROT_NONE = 0;
  private static final int MAP_FIXED = 0x10;
  private static final int EFD_CLOEXEC = 0x80000;
  private static final int EPOLL_CLOEXEC = 0x80000;
  private static final int EINTR = Errno.EINTR.number();

  private static final Architecture ARCHITECTURE = Architecture.current();
  private static final LinuxKernel INSTANCE = new LinuxKernel();

  private LinuxKernel() {}

  /**
   * This machine's kernel.
   *
   * @throws UnsupportedOperationException on an architecture whose user API jvfio does not know
   */
  public static LinuxKernel instance() {
    return INSTANCE;
  }

  @Override
  public Architecture architecture() {
    return ARCHITECTURE;
  }

  @Override
  public int pageSize() {
    return PageSize.VALUE;
  }

  @Override
  public int open(String path, int flags, int mode) {
    int translated = ARCHITECTURE.openFlags(flags) | O_CLOEXEC;
    try (var arena = Arena.ofConfined()) {
      var name = arena.allocateFrom(path);
      int result;
      do {
        result = Open.call(name, translated, mode);
      } while (result == -EINTR);
      return result;
    }
  }

  @Override
  public int close(int fd) {
    // Not retried: Linux has released the descriptor even when it answers EINTR.
    return Close.call(fd);
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    return IoControl.call(
        fd, command.requestNumber(ARCHITECTURE), MemorySegment.ofAddress(argument));
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    return IoControl.call(fd, command.requestNumber(ARCHITECTURE), argument);
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    long result;
    do {
      result = PositionedIo.call(PositionedIo.PREAD, fd, target, offset);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    long result;
    do {
      result = PositionedIo.call(PositionedIo.PWRITE, fd, source, offset);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public long preadv(int fd, MemorySegment vectors, int count, long offset) {
    long result;
    do {
      result = StorageCalls.VectorIo.read(fd, vectors, count, offset);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public long pwritev(int fd, MemorySegment vectors, int count, long offset) {
    long result;
    do {
      result = StorageCalls.VectorIo.write(fd, vectors, count, offset);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public long fileSize(int fd) {
    return StorageCalls.Size.call(fd);
  }

  @Override
  public int truncate(int fd, long byteSize) {
    int result;
    do {
      result = StorageCalls.Truncation.call(fd, byteSize);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public int allocate(int fd, int mode, long offset, long byteSize) {
    int result;
    do {
      result = StorageCalls.Allocation.call(fd, mode, offset, byteSize);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public int synchronizeData(int fd) {
    int result;
    do {
      result = StorageCalls.Synchronization.call(fd);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public int lockFile(int fd, boolean isExclusive) {
    return StorageCalls.Lock.call(
        fd, isExclusive ? StorageCalls.Lock.F_WRLCK : StorageCalls.Lock.F_RDLCK);
  }

  @Override
  public int unlockFile(int fd) {
    return StorageCalls.Lock.call(fd, StorageCalls.Lock.F_UNLCK);
  }

  @Override
  public FileStatus status(int fd) throws ErrnoException {
    return FileStatus.of(fd);
  }

  @Override
  public int ioUringSetup(int entries, MemorySegment params) {
    return StorageCalls.Uring.setup(entries, params);
  }

  @Override
  public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
    int result;
    do {
      // Interrupted only before anything was taken, so that nothing is handed over twice.
      result = StorageCalls.Uring.enter(fd, toSubmit, minComplete, flags);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public int ioUringRegister(int fd, int operation, MemorySegment argument, int count) {
    int result;
    do {
      result = StorageCalls.Uring.register(fd, operation, argument, count);
    } while (result == -EINTR);
    return result;
  }

  /**
   * The processors that the calling thread may run on, by their numbers. Source: {@code
   * sched_getaffinity(2)}.
   *
   * @throws IllegalStateException if the kernel cannot tell
   */
  public BitSet processors() {
    try (var arena = Arena.ofConfined()) {
      var mask = arena.allocate(StorageCalls.Affinity.MASK_SIZE, Long.BYTES);
      int result = StorageCalls.Affinity.ofThisThread(mask);
      if (result < 0) {
        throw new IllegalStateException(
            "sched_getaffinity of this thread failed: " + Errno.ofResult(result));
      }
      return BitSet.valueOf(mask.toArray(ValueLayout.JAVA_LONG));
    }
  }

  /**
   * Binds the calling thread, which must be a platform thread, to some processors. Threads that it
   * starts from now on are bound as well. Source: {@code sched_setaffinity(2)}.
   *
   * @param processors their numbers
   * @return 0, or a negated errno: EINVAL if none of them is there for this thread
   */
  public int setProcessors(BitSet processors) {
    if (processors.length() > StorageCalls.Affinity.MASK_SIZE * Byte.SIZE) {
      return Errno.EINVAL.result(); // a number that no kernel has
    }
    var words = processors.toLongArray();
    try (var arena = Arena.ofConfined()) {
      var mask = arena.allocate(StorageCalls.Affinity.MASK_SIZE, Long.BYTES);
      MemorySegment.copy(words, 0, mask, ValueLayout.JAVA_LONG, 0, words.length);
      return StorageCalls.Affinity.bindThisThread(mask);
    }
  }

  @Override
  public long read(int fd, MemorySegment target) {
    long result;
    do {
      result = StreamIo.read(fd, target);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public long write(int fd, MemorySegment source) {
    long result;
    do {
      result = StreamIo.write(fd, source);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public long readNow(int fd, MemorySegment target) {
    return ReadNow.call(fd, target);
  }

  @Override
  public int awaitWritable(int fd, int timeoutMillis) {
    return Poll.await(fd, Poll.POLLOUT, timeoutMillis);
  }

  @Override
  public int socket() {
    return SocketCalls.create();
  }

  @Override
  public int socketPair(int[] both) {
    try (var arena = Arena.ofConfined()) {
      var fds = arena.allocate(ValueLayout.JAVA_INT, 2);
      int result = SocketCalls.pair(fds);
      MemorySegment.copy(fds, ValueLayout.JAVA_INT, 0, both, 0, 2);
      return result;
    }
  }

  @Override
  public int bind(int fd, String path) {
    return SocketCalls.withAddress(SocketCalls.BIND, fd, path);
  }

  @Override
  public int connect(int fd, String path) {
    int result;
    do {
      result = SocketCalls.withAddress(SocketCalls.CONNECT, fd, path);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public int access(String path, int mode) {
    try (var arena = Arena.ofConfined()) {
      return Access.call(arena.allocateFrom(path), mode);
    }
  }

  @Override
  public int changeMode(int fd, int mode) {
    return SocketCalls.two(SocketCalls.CHANGE_MODE, fd, mode);
  }

  @Override
  public int listen(int fd, int backlog) {
    return SocketCalls.two(SocketCalls.LISTEN, fd, backlog);
  }

  @Override
  public int accept(int fd) {
    int result;
    do {
      result = SocketCalls.accept(fd);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public int shutdown(int fd) {
    return SocketCalls.two(SocketCalls.SHUTDOWN, fd, SocketCalls.SHUT_RDWR);
  }

  @Override
  public int setSocketOption(int fd, int option, MemorySegment value) {
    return SocketCalls.setOption(fd, ARCHITECTURE.socketOption(option), value);
  }

  @Override
  public int socketOption(int fd, int option) {
    return SocketCalls.option(fd, ARCHITECTURE.socketOption(option));
  }

  @Override
  public long send(int fd, MemorySegment source, long offset, long byteSize, boolean waits) {
    long result;
    do {
      result = SocketCalls.send(fd, source.address() + offset, byteSize, waits);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public long sendMessage(int fd, MemorySegment message, boolean waits) {
    long result;
    do {
      result = SocketCalls.sendMessage(fd, message, waits);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public long receiveMessage(int fd, MemorySegment message, boolean waits, boolean isLimited) {
    long result;
    do {
      result = SocketCalls.receiveMessage(fd, message, waits, isLimited);
    } while (result == -EINTR);
    return result;
  }

  @Override
  public int eventFd(int initial, int flags) {
    return EventFd.call(initial, flags | EFD_CLOEXEC);
  }

  @Override
  public int epollCreate() {
    return Epoll.create(EPOLL_CLOEXEC);
  }

  @Override
  public int epollControl(int epollFd, int operation, int fd, int events) {
    try (var arena = Arena.ofConfined()) {
      var event = arena.allocate(Epoll.EVENT_SIZE, Long.BYTES);
      event.set(ValueLayout.JAVA_INT, 0, events);
      event.set(ValueLayout.JAVA_INT, Epoll.DATA_OFFSET, fd);
      return Epoll.control(epollFd, operation, fd, event);
    }
  }

  @Override
  public int epollWait(int epollFd, int[] ready, int timeoutMillis) {
    var events = Epoll.EVENTS.get();
    int most = Math.min(ready.length, Epoll.MOST_EVENTS);
    int count = Epoll.await(epollFd, events, most, timeoutMillis);
    for (int i = 0; i < count; i++) {
      ready[i] = events.get(ValueLayout.JAVA_INT, i * Epoll.EVENT_SIZE + Epoll.DATA_OFFSET);
    }
    return count;
  }

  /**
   * What is left of a time limit after an interruption, in milliseconds that have begun. What
   * interrupts a wait does not end it: io_uring does so for work of its own.
   */
  private static int left(int timeoutMillis, long start) {
    long passed = (System.nanoTime() - start) / 1_000_000;
    return timeoutMillis < 0 ? timeoutMillis : (int) Math.max(0, timeoutMillis - passed);
  }

  @Override
  public int awaitReadable(int fd, int timeoutMillis) {
    return Poll.await(fd, Poll.POLLIN, timeoutMillis);
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    return mmapAt(0, byteSize, protection, flags, fd, offset);
  }

  @Override
  public long remap(long address, long byteSize, int protection, int fd, long offset) {
    return mmapAt(address, byteSize, protection, MAP_SHARED | MAP_FIXED, fd, offset);
  }

  @Override
  public long remapInaccessible(long address, long byteSize) {
    return mmapAt(address, byteSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  }

  /** {@link #mmap} with an address, which {@code MAP_FIXED} in {@code flags} makes binding. */
  long mmapAt(long address, long byteSize, int protection, int flags, int fd, long offset) {
    return MemoryMap.map(address, byteSize, protection, flags, fd, offset);
  }

  @Override
  public int munmap(long address, long byteSize) {
    return MemoryMap.call(MemoryMap.MUNMAP, address, byteSize);
  }

  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    int fd;
    try (var arena = Arena.ofConfined()) {
      fd = MemoryFile.create(arena.allocateFrom(name), flags | MFD_CLOEXEC);
    }
    if (fd < 0) {
      return fd;
    }
    int result = truncate(fd, byteSize);
    if (result >= 0 && (flags & MFD_ALLOW_SEALING) != 0) {
      result = MemoryFile.seal(fd);
    }
    if (result < 0) {
      close(fd);
      return result;
    }
    return fd;
  }

  @Override
  public int mlock(long address, long byteSize) {
    return MemoryMap.call(MemoryMap.MLOCK, address, byteSize);
  }

  @Override
  public int munlock(long address, long byteSize) {
    return MemoryMap.call(MemoryMap.MUNLOCK, address, byteSize);
  }

  @Override
  public MemorySegment memory(long address, long byteSize, Arena lifetime) {
    return NativeMemory.at(address, byteSize, lifetime);
  }

  @Override
  public Registers registers(long address, long byteSize, RegisterOrder order) {
    return RegisterMapping.at(address, byteSize, order);
  }

  @Override
  public long lockedMemoryLimit() {
    try (var arena = Arena.ofConfined()) {
      var limits = arena.allocate(ValueLayout.JAVA_LONG, 2);
      int result = ResourceLimit.call(RLIMIT_MEMLOCK, limits);
      if (result < 0) {
        throw new IllegalStateException(
            "getrlimit(RLIMIT_MEMLOCK) failed: " + Errno.ofResult(result));
      }
      long soft = limits.get(ValueLayout.JAVA_LONG, 0);
      return soft == -1 ? NO_LIMIT : soft;
    }
  }

  @Override
  public List<String> list(String directory) throws ErrnoException {
    try (var entries = Files.newDirectoryStream(Path.of(directory))) {
      var names = new ArrayList<String>();
      entries.forEach(entry -> names.add(entry.getFileName().toString()));
      return names;
    } catch (DirectoryIteratorException e) {
      throw translated("readdir(" + directory + ")", requireNonNull(e.getCause()));
    } catch (IOException e) {
      throw translated("opendir(" + directory + ")", e);
    }
  }

  @Override
  public String readLink(String path) throws ErrnoException {
    try {
      return Files.readSymbolicLink(Path.of(path)).toString();
    } catch (IOException e) {
      throw translated("readlink(" + path + ")", e);
    }
  }

  private static ErrnoException translated(String operation, IOException e) {
    var errno =
        switch (e) {
          case NoSuchFileException _ -> Errno.ENOENT;
          case AccessDeniedException _ -> Errno.EACCES;
          case NotDirectoryException _ -> Errno.ENOTDIR;
          case NotLinkException _ -> Errno.EINVAL;
          default -> Errno.EIO;
        };
    var translated = new ErrnoException(operation, errno);
    translated.initCause(e);
    return translated;
  }

  /**
   * What all calls share: the linker, and errno, which the JVM itself may change right after a
   * call.
   *
   * <p>To take errno along costs a small object a call, unless the compiler sees through it, which
   * depends on what it compiles around the call. So the calls that carry every message are made
   * without. One that fails has done nothing, and is made again with errno, to say why.
   */
  static final class Native {
    static final Linker LINKER = Linker.nativeLinker();
    static final Linker.Option CAPTURE = Linker.Option.captureCallState("errno");
    private static final StructLayout CAPTURE_LAYOUT = Linker.Option.captureStateLayout();
    private static final long ERRNO_OFFSET =
        CAPTURE_LAYOUT.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

    // SAFETY: descriptors below are those of the C library; sizes and pointers are 64-bit on every
    // known architecture.
    @SuppressWarnings("restricted")
    static MethodHandle link(
        String function, FunctionDescriptor descriptor, Linker.Option... options) {
      return LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow(function), descriptor, options);
    }

    /** Where a call on this thread leaves errno. */
    static MemorySegment capture() {
      return Capture.ofThisThread().memory();
    }

    static int negatedErrno(MemorySegment capture) {
      return -capture.get(ValueLayout.JAVA_INT, ERRNO_OFFSET);
    }

    /**
     * What errno is at this moment: mostly what the last call left. The JVM may have changed it
     * since, so that whoever asks must be right in any case.
     */
    static int errnoMaybe() {
      try {
        return ErrnoLocation.MEMORY.get(
            ValueLayout.JAVA_INT, (long) ErrnoLocation.HANDLE.invokeExact());
      } catch (Throwable t) {
        throw unexpected(t);
      }
    }

    static AssertionError unexpected(Throwable thrown) {
      switch (thrown) {
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        default -> throw new AssertionError("a system call threw", thrown);
      }
    }
  }

  /** Where the C library has a thread's errno. */
  private static final class ErrnoLocation {
    static final MemorySegment MEMORY = NativeMemory.at(0, Long.MAX_VALUE, Arena.global());
    static final MethodHandle HANDLE =
        Native.link("__errno_location", FunctionDescriptor.of(ValueLayout.JAVA_LONG));
  }

  /**
   * One thread's memory for errno. A look into a {@link ThreadLocal} costs a twentieth of a cheap
   * system call, so a small table comes first; threads that share an entry take it from each other
   * and go the long way.
   */
  private static final class Capture {
    private static final Capture[] RECENT = new Capture[64];
    private static final ThreadLocal<Capture> CAPTURES = ThreadLocal.withInitial(Capture::new);

    private final Thread owner = Thread.currentThread();
    private final MemorySegment allocation = Arena.ofAuto().allocate(Native.CAPTURE_LAYOUT);
    private final MemorySegment view =
        NativeMemory.at(allocation.address(), Native.CAPTURE_LAYOUT.byteSize(), Arena.global());

    @SuppressWarnings("ReferenceEquality") // a thread is itself and no other
    static Capture ofThisThread() {
      var thread = Thread.currentThread();
      int entry = (int) thread.threadId() & (RECENT.length - 1);
      // Unsynchronized: the fields are final, and an entry of another thread is not used.
      var recent = RECENT[entry];
      if (recent == null || recent.owner != thread) {
        recent = CAPTURES.get();
        RECENT[entry] = recent;
      }
      return recent;
    }

    /** A view without the allocation's own lifetime: the thread that uses it keeps it. */
    MemorySegment memory() {
      return view;
    }
  }

  private static final class Open {
    private static final MethodHandle HANDLE =
        Native.link(
            "open",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT),
            Native.CAPTURE,
            Linker.Option.firstVariadicArg(2));

    static int call(MemorySegment path, int flags, int mode) {
      var capture = Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, path, flags, mode);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class Access {
    private static final MethodHandle HANDLE =
        Native.link(
            "access",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
            Native.CAPTURE);

    static int call(MemorySegment path, int mode) {
      var capture = Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, path, mode);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class Close {
    private static final MethodHandle HANDLE =
        Native.link(
            "close",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT),
            Native.CAPTURE);

    static int call(int fd) {
      var capture = Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, fd);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class IoControl {
    private static final MethodHandle HANDLE =
        Native.link(
            "ioctl",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.ADDRESS),
            Native.CAPTURE,
            Linker.Option.firstVariadicArg(2));

    static int call(int fd, long request, MemorySegment argument) {
      var capture = Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, fd, request, argument);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class PositionedIo {
    private static final FunctionDescriptor DESCRIPTOR =
        FunctionDescriptor.of(
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG);
    static final MethodHandle PREAD = Native.link("pread", DESCRIPTOR, Native.CAPTURE);
    static final MethodHandle PWRITE = Native.link("pwrite", DESCRIPTOR, Native.CAPTURE);

    static long call(MethodHandle handle, int fd, MemorySegment buffer, long offset) {
      var capture = Native.capture();
      try {
        long result = (long) handle.invokeExact(capture, fd, buffer, buffer.byteSize(), offset);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class StreamIo {
    private static final FunctionDescriptor DESCRIPTOR =
        FunctionDescriptor.of(
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG);
    private static final MethodHandle READ = Native.link("read", DESCRIPTOR);
    private static final MethodHandle READ_AGAIN = Native.link("read", DESCRIPTOR, Native.CAPTURE);
    private static final MethodHandle WRITE = Native.link("write", DESCRIPTOR);
    private static final MethodHandle WRITE_AGAIN =
        Native.link("write", DESCRIPTOR, Native.CAPTURE);

    static long read(int fd, MemorySegment buffer) {
      try {
        long result = (long) READ.invokeExact(fd, buffer, buffer.byteSize());
        return result >= 0 ? result : again(READ_AGAIN, fd, buffer);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }

    static long write(int fd, MemorySegment buffer) {
      try {
        long result = (long) WRITE.invokeExact(fd, buffer, buffer.byteSize());
        return result >= 0 ? result : again(WRITE_AGAIN, fd, buffer);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }

    private static long again(MethodHandle handle, int fd, MemorySegment buffer) {
      var capture = Native.capture();
      try {
        long result = (long) handle.invokeExact(capture, fd, buffer, buffer.byteSize());
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class ReadNow {
    private static final int RWF_NOWAIT = 8;

    /** From where the file is. */
    private static final long HERE = -1;

    private static final MethodHandle HANDLE =
        Native.link(
            "preadv2",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT),
            Native.CAPTURE);

    static long call(int fd, MemorySegment target) {
      var capture = Native.capture();
      try (var arena = Arena.ofConfined()) {
        var vector = arena.allocate(2 * Long.BYTES, Long.BYTES);
        vector.set(ValueLayout.ADDRESS, 0, target);
        vector.set(ValueLayout.JAVA_LONG, Long.BYTES, target.byteSize());
        long result = (long) HANDLE.invokeExact(capture, fd, vector, 1, HERE, RWF_NOWAIT);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class EventFd {
    private static final MethodHandle HANDLE =
        Native.link(
            "eventfd",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT),
            Native.CAPTURE);

    static int call(int initial, int flags) {
      var capture = Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, initial, flags);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class Epoll {
    static final int MOST_EVENTS = 64;

    /** {@code struct epoll_event} has no padding on x86-64, and only there. */
    static final long DATA_OFFSET = ARCHITECTURE == Architecture.X86_64 ? 4 : 8;

    static final long EVENT_SIZE = DATA_OFFSET + Long.BYTES;

    /** Where a wait of this thread finds what is ready. */
    static final ThreadLocal<MemorySegment> EVENTS =
        ThreadLocal.withInitial(
            () -> Arena.ofAuto().allocate(MOST_EVENTS * EVENT_SIZE, Long.BYTES));

    private static final MethodHandle CREATE =
        Native.link(
            "epoll_create1",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT),
            Native.CAPTURE);
    private static final MethodHandle CONTROL =
        Native.link(
            "epoll_ctl",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS),
            Native.CAPTURE);
    private static final FunctionDescriptor WAITING =
        FunctionDescriptor.of(
            ValueLayout.JAVA_INT,
            ValueLayout.JAVA_INT,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_INT,
            ValueLayout.JAVA_INT);
    private static final MethodHandle WAIT = Native.link("epoll_wait", WAITING);
    private static final MethodHandle WAIT_AGAIN =
        Native.link("epoll_wait", WAITING, Native.CAPTURE);

    static int create(int flags) {
      var capture = Native.capture();
      try {
        int result = (int) CREATE.invokeExact(capture, flags);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }

    static int control(int epollFd, int operation, int fd, MemorySegment event) {
      var capture = Native.capture();
      try {
        int result = (int) CONTROL.invokeExact(capture, epollFd, operation, fd, event);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }

    static int await(int epollFd, MemorySegment events, int most, int timeoutMillis) {
      long start = timeoutMillis > 0 ? System.nanoTime() : 0;
      int left = timeoutMillis;
      while (true) {
        int count = once(epollFd, events, most, left);
        if (count != -EINTR) {
          return count;
        }
        left = left(timeoutMillis, start);
      }
    }

    private static int once(int epollFd, MemorySegment events, int most, int timeoutMillis) {
      try {
        int result = (int) WAIT.invokeExact(epollFd, events, most, timeoutMillis);
        if (result >= 0) {
          return result;
        }
        return Native.errnoMaybe() == EINTR ? -EINTR : again(epollFd, events, most, timeoutMillis);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }

    private static int again(int epollFd, MemorySegment events, int most, int timeoutMillis) {
      var capture = Native.capture();
      try {
        int result = (int) WAIT_AGAIN.invokeExact(capture, epollFd, events, most, timeoutMillis);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class Poll {
    static final int POLLIN = 1;
    static final int POLLOUT = 4;

    /** This thread's {@code struct pollfd}: the descriptor, and the events in and out. */
    private static final ThreadLocal<MemorySegment> ENTRY =
        ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(ValueLayout.JAVA_INT, 2));

    private static final FunctionDescriptor DESCRIPTOR =
        FunctionDescriptor.of(
            ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT);
    private static final MethodHandle HANDLE = Native.link("poll", DESCRIPTOR);
    private static final MethodHandle AGAIN = Native.link("poll", DESCRIPTOR, Native.CAPTURE);

    static int await(int fd, int events, int timeoutMillis) {
      var entry = ENTRY.get();
      entry.set(ValueLayout.JAVA_INT, 0, fd);
      entry.set(ValueLayout.JAVA_INT, Integer.BYTES, events);
      long start = timeoutMillis > 0 ? System.nanoTime() : 0;
      int left = timeoutMillis;
      while (true) {
        int result = once(entry, left);
        if (result != -EINTR) {
          return result;
        }
        left = left(timeoutMillis, start);
      }
    }

    private static int once(MemorySegment entry, int timeoutMillis) {
      try {
        int result = (int) HANDLE.invokeExact(entry, 1L, timeoutMillis);
        if (result >= 0) {
          return result;
        }
        return Native.errnoMaybe() == EINTR ? -EINTR : again(entry, timeoutMillis);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }

    private static int again(MemorySegment entry, int timeoutMillis) {
      var capture = Native.capture();
      try {
        int result = (int) AGAIN.invokeExact(capture, entry, 1L, timeoutMillis);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class MemoryMap {
    private static final MethodHandle MMAP =
        Native.link(
            "mmap",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG),
            Native.CAPTURE);
    private static final FunctionDescriptor RANGE =
        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG);
    static final MethodHandle MUNMAP = Native.link("munmap", RANGE, Native.CAPTURE);
    static final MethodHandle MLOCK = Native.link("mlock", RANGE, Native.CAPTURE);
    static final MethodHandle MUNLOCK = Native.link("munlock", RANGE, Native.CAPTURE);

    static long map(long address, long byteSize, int protection, int flags, int fd, long offset) {
      var capture = Native.capture();
      try {
        long result =
            (long) MMAP.invokeExact(capture, address, byteSize, protection, flags, fd, offset);
        return result != -1 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }

    static int call(MethodHandle handle, long address, long byteSize) {
      var capture = Native.capture();
      try {
        int result = (int) handle.invokeExact(capture, address, byteSize);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class MemoryFile {
    private static final MethodHandle CREATE =
        Native.link(
            "memfd_create",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
            Native.CAPTURE);
    private static final MethodHandle CONTROL =
        Native.link(
            "fcntl",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT),
            Native.CAPTURE,
            Linker.Option.firstVariadicArg(2));
    private static final int F_ADD_SEALS = 1033;
    private static final int SEAL_SEALS_AND_SIZE = 1 | 2 | 4;

    static int seal(int fd) {
      var capture = Native.capture();
      try {
        int result = (int) CONTROL.invokeExact(capture, fd, F_ADD_SEALS, SEAL_SEALS_AND_SIZE);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }

    static int create(MemorySegment name, int flags) {
      var capture = Native.capture();
      try {
        int result = (int) CREATE.invokeExact(capture, name, flags);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class ResourceLimit {
    private static final MethodHandle HANDLE =
        Native.link(
            "getrlimit",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS),
            Native.CAPTURE);

    static int call(int resource, MemorySegment limits) {
      var capture = Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, resource, limits);
        return result >= 0 ? result : Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  private static final class PageSize {
    static final int VALUE = query();

    // SAFETY: getpagesize(2) takes nothing and cannot fail.
    private static int query() {
      try {
        var handle = Native.link("getpagesize", FunctionDescriptor.of(ValueLayout.JAVA_INT));
        return (int) handle.invokeExact();
      } catch (Throwable t) {
        throw Native.unexpected(t);
      }
    }
  }

  @Override
  public String toString() {
    return "the kernel of this machine";
  }
}
