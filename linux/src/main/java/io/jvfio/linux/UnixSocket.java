package io.jvfio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A UNIX stream socket that carries file descriptors beside its bytes: connected, or listening at a
 * path. Source: {@code unix(7)}, {@code cmsg(3)}.
 *
 * <p>Sending and receiving answer as the kernel does: a result of zero or more, or a negated {@link
 * Errno} number. They allocate nothing. One thread may send while another receives; two threads
 * must not send, or receive, at once. {@link #shutdown()} and {@link #close()} may be called by any
 * thread.
 */
public final class UnixSocket implements AutoCloseable {
  /** The most descriptors that the kernel lets one message have ({@code SCM_MAX_FD}). */
  public static final int MAX_DESCRIPTORS = 253;

  /** The longest path of a socket, in bytes of UTF-8. */
  public static final int MAX_PATH_BYTES = 107;

  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM = 1;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;
  private static final boolean IS_POWER = Architecture.current() == Architecture.PPC64LE;
  private static final int SO_RCVTIMEO = IS_POWER ? 18 : 20;
  private static final int SO_SNDTIMEO = IS_POWER ? 19 : 21;
  private static final int SO_TYPE = 3;
  private static final int SO_ACCEPTCONN = 30;
  private static final int SO_DOMAIN = 39;
  private static final int MSG_CTRUNC = 8;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;
  private static final int SHUT_RDWR = 2;

  /** As many as the kernel lets wait ({@code net.core.somaxconn}), which takes less than that. */
  private static final int BACKLOG = 4096;

  private static final int EINTR = Errno.EINTR.number();
  private static final int EAGAIN = Errno.EAGAIN.number();

  /** {@code struct msghdr}, with its padding, on every 64-bit machine. */
  private static final StructLayout MESSAGE =
      MemoryLayout.structLayout(
          ValueLayout.JAVA_LONG.withName("name"),
          ValueLayout.JAVA_LONG.withName("namelen"),
          ValueLayout.JAVA_LONG.withName("iov"),
          ValueLayout.JAVA_LONG.withName("iovlen"),
          ValueLayout.JAVA_LONG.withName("control"),
          ValueLayout.JAVA_LONG.withName("controllen"),
          ValueLayout.JAVA_LONG.withName("flags"));

  private static final long IOV = offset("iov");
  private static final long IOV_LENGTH = offset("iovlen");
  private static final long CONTROL = offset("control");
  private static final long CONTROL_LENGTH = offset("controllen");
  private static final long FLAGS = offset("flags");

  /** {@code struct iovec} comes right after the header, and after it the control message. */
  private static final long VECTOR = MESSAGE.byteSize();

  private static final long VECTOR_SIZE = 2 * Long.BYTES;
  private static final long CONTROL_MESSAGE = VECTOR + VECTOR_SIZE;

  /** {@code struct cmsghdr}: its length, level and type. */
  private static final long CONTROL_HEADER = Long.BYTES + 2 * Integer.BYTES;

  private final int fd;
  private final String name;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment outgoing = allocate();
  private final MemorySegment incoming = allocate();
  private final AtomicBoolean closed = new AtomicBoolean();
  private volatile boolean limitsReceive;
  private int received;

  private UnixSocket(int fd, String name) {
    this.fd = fd;
    this.name = name;
  }

  private static long offset(String field) {
    return MESSAGE.byteOffset(MemoryLayout.PathElement.groupElement(field));
  }

  private MemorySegment allocate() {
    var memory = arena.allocate(CONTROL_MESSAGE + controlSpace(MAX_DESCRIPTORS), Long.BYTES);
    memory.set(ValueLayout.JAVA_LONG, IOV, memory.address() + VECTOR);
    memory.set(ValueLayout.JAVA_LONG, IOV_LENGTH, 1);
    return memory;
  }

  private static long controlSpace(int descriptors) {
    return CONTROL_HEADER
        + ((long) descriptors * Integer.BYTES + Long.BYTES - 1) / Long.BYTES * Long.BYTES;
  }

  /**
   * Connects to a socket that listens at {@code path}.
   *
   * @throws ErrnoException ENOENT where there is none, ECONNREFUSED where nobody listens any more
   * @throws IllegalArgumentException if the path is longer than {@link #MAX_PATH_BYTES}
   */
  public static UnixSocket connect(String path) throws ErrnoException {
    return connect(path, 0);
  }

  /**
   * Connects to a socket that listens at {@code path}; {@link #limitWaits} for sending, and for the
   * place in the queue of those who wait to be accepted.
   *
   * @throws ErrnoException ENOENT where there is none, ECONNREFUSED where nobody listens any more,
   *     EAGAIN where the queue stays full
   * @throws IllegalArgumentException if the path is longer than {@link #MAX_PATH_BYTES}
   */
  public static UnixSocket connect(String path, long millis) throws ErrnoException {
    var socket = new UnixSocket(created(path), path);
    if (millis > 0) {
      socket.limitWaits(0, millis);
    }
    try (var arena = Arena.ofConfined()) {
      var address = address(path, arena);
      int result;
      do {
        result = Calls.socketAddress(Calls.CONNECT, socket.fd, address);
      } while (result == -EINTR);
      return socket.checked("connect(" + path + ")", result);
    }
  }

  /**
   * Listens at {@code path}, which must not exist; it stays when the socket is closed.
   *
   * @param mode who may connect, as {@code chmod(2)} has it, such as 0600; the process's umask
   *     takes from it
   * @throws ErrnoException EADDRINUSE where the path exists
   * @throws IllegalArgumentException if the path is longer than {@link #MAX_PATH_BYTES}
   */
  public static UnixSocket listen(String path, int mode) throws ErrnoException {
    var socket = bind(path, mode);
    socket.listen();
    return socket;
  }

  /**
   * Makes a socket at {@code path} as {@link #listen(String, int)} does, to which nobody can
   * connect before {@link #listen()}: so its file can be given to whom it is for first.
   *
   * @throws ErrnoException EADDRINUSE where the path exists
   * @throws IllegalArgumentException if the path is longer than {@link #MAX_PATH_BYTES}
   */
  public static UnixSocket bind(String path, int mode) throws ErrnoException {
    var socket = new UnixSocket(created(path), path);
    // The mode of the socket is that of the file which bind makes: nobody can connect in between.
    socket.checked("fchmod(" + path + ")", Calls.change(socket.fd, mode));
    try (var arena = Arena.ofConfined()) {
      return socket.checked(
          "bind(" + path + ")", Calls.socketAddress(Calls.BIND, socket.fd, address(path, arena)));
    }
  }

  /**
   * Lets others connect from here on, as many at once as the kernel lets wait.
   *
   * @throws ErrnoException if it is no socket that was bound; it is closed then
   */
  public void listen() throws ErrnoException {
    checked("listen(" + name + ")", Calls.two(Calls.LISTEN, fd, BACKLOG));
  }

  /** Two sockets that are connected to each other. */
  public static Pair pair() throws ErrnoException {
    try (var arena = Arena.ofConfined()) {
      var both = arena.allocate(ValueLayout.JAVA_INT, 2);
      int result = Calls.pair(both);
      if (result < 0) {
        throw new ErrnoException("socketpair", Errno.ofResult(result));
      }
      return new Pair(
          adopt(both.get(ValueLayout.JAVA_INT, 0)),
          adopt(both.get(ValueLayout.JAVA_INT, Integer.BYTES)));
    }
  }

  /**
   * Two connected sockets.
   *
   * @param first one
   * @param second the other
   */
  public record Pair(UnixSocket first, UnixSocket second) {}

  /**
   * Takes over a descriptor of a stream socket, connected or listening, such as an inherited one.
   */
  public static UnixSocket adopt(int fd) {
    return new UnixSocket(fd, "descriptor " + fd);
  }

  /**
   * Tells why nobody can be accepted at a descriptor.
   *
   * @return what it is instead of a UNIX stream socket that listens, as "a pipe"; empty if it is
   *     one
   */
  public static Optional<String> notListening(int fd) {
    int domain = Calls.option(fd, SO_DOMAIN);
    if (domain < 0) {
      return Optional.of(kind(fd));
    }
    if (domain != AF_UNIX) {
      return Optional.of("a socket of another address family, number " + domain);
    }
    if (Calls.option(fd, SO_TYPE) != SOCK_STREAM) {
      return Optional.of("a UNIX socket of another type than SOCK_STREAM");
    }
    return Calls.option(fd, SO_ACCEPTCONN) == 1
        ? Optional.empty()
        : Optional.of("a UNIX socket that does not listen");
  }

  /** What a descriptor is that is no socket. */
  private static String kind(int fd) {
    try {
      var target = LinuxKernel.instance().readLink("/proc/self/fd/" + fd);
      return target.startsWith("pipe:") ? "a pipe" : "no socket but " + target;
    } catch (ErrnoException e) {
      return "not open";
    }
  }

  private static int created(String path) throws ErrnoException {
    if (path.getBytes(StandardCharsets.UTF_8).length > MAX_PATH_BYTES) {
      throw new IllegalArgumentException(
          "the path of a socket has at most %d bytes: %s".formatted(MAX_PATH_BYTES, path));
    }
    int fd = Calls.create();
    if (fd < 0) {
      throw new ErrnoException("socket(AF_UNIX)", Errno.ofResult(fd));
    }
    return fd;
  }

  private static MemorySegment address(String path, Arena arena) {
    var bytes = path.getBytes(StandardCharsets.UTF_8);
    var address = arena.allocate(Short.BYTES + bytes.length + 1L, Long.BYTES);
    address.set(ValueLayout.JAVA_SHORT, 0, (short) AF_UNIX);
    MemorySegment.copy(bytes, 0, address, ValueLayout.JAVA_BYTE, Short.BYTES, bytes.length);
    return address;
  }

  /** Itself, or closed and an exception. */
  private UnixSocket checked(String operation, int result) throws ErrnoException {
    if (result < 0) {
      close();
      throw new ErrnoException(operation, Errno.ofResult(result));
    }
    return this;
  }

  /**
   * Waits for the next connection to a listening socket.
   *
   * @throws ErrnoException EINVAL once it is shut down, EMFILE where descriptors run out
   */
  public UnixSocket accept() throws ErrnoException {
    int result;
    do {
      result = Calls.accept(fd);
    } while (result == -EINTR || result == Errno.ECONNABORTED.result());
    if (result < 0) {
      throw new ErrnoException("accept(" + name + ")", Errno.ofResult(result));
    }
    return new UnixSocket(result, name);
  }

  /**
   * Limits how long a receive waits for the first byte, and a send for room: the answer is EAGAIN
   * after that.
   *
   * @param receiveMillis the limit of a receive; 0 for none
   * @param sendMillis the limit of a send; 0 for none
   * @throws ErrnoException if it is no socket; it is closed then
   */
  public void limitWaits(long receiveMillis, long sendMillis) throws ErrnoException {
    try (var arena = Arena.ofConfined()) {
      var time = arena.allocate(2 * Long.BYTES, Long.BYTES);
      limit(SO_RCVTIMEO, receiveMillis, time);
      limitsReceive = receiveMillis > 0;
      limit(SO_SNDTIMEO, sendMillis, time);
    }
  }

  private void limit(int option, long millis, MemorySegment time) throws ErrnoException {
    time.set(ValueLayout.JAVA_LONG, 0, millis / 1000);
    time.set(ValueLayout.JAVA_LONG, Long.BYTES, millis % 1000 * 1000);
    checked("setsockopt(" + name + ")", Calls.setOption(fd, option, time));
  }

  /** The descriptor, to wait for; it stays this object's. */
  public int fd() {
    return fd;
  }

  /**
   * Sends bytes, and descriptors with the first of them. The descriptors stay the caller's. A peer
   * that is gone is EPIPE, and no signal.
   *
   * @param data native memory
   * @param offset where in it the bytes begin
   * @param byteSize how many bytes
   * @param descriptors where the descriptors are
   * @param count how many of them, 0 to {@link #MAX_DESCRIPTORS}
   * @return how many bytes were taken, or a negated errno
   */
  public long send(MemorySegment data, long offset, long byteSize, int[] descriptors, int count) {
    return send(data, offset, byteSize, descriptors, count, true);
  }

  /**
   * Sends bytes, and descriptors with the first of them; see {@link #send(MemorySegment, long,
   * long, int[], int)}.
   *
   * @param wait whether to wait for room; without it some of the bytes may be taken, and the answer
   *     is EAGAIN where there is room for none
   */
  public long send(
      MemorySegment data, long offset, long byteSize, int[] descriptors, int count, boolean wait) {
    // The kernel gets an address, and would read wherever it points.
    Objects.checkFromIndexSize(offset, byteSize, data.byteSize());
    if (count > 0) {
      attach(data, offset, byteSize, descriptors, count);
    }
    long result;
    do {
      result =
          count > 0
              ? Calls.sendMessage(fd, outgoing, wait)
              : Calls.send(fd, data.address() + offset, byteSize, wait);
    } while (result == -EINTR);
    return result;
  }

  private void attach(
      MemorySegment data, long offset, long byteSize, int[] descriptors, int count) {
    var message = outgoing;
    vector(message, data, offset, byteSize);
    message.set(ValueLayout.JAVA_LONG, CONTROL, message.address() + CONTROL_MESSAGE);
    message.set(ValueLayout.JAVA_LONG, CONTROL_LENGTH, controlSpace(count));
    message.set(
        ValueLayout.JAVA_LONG, CONTROL_MESSAGE, CONTROL_HEADER + (long) count * Integer.BYTES);
    message.set(ValueLayout.JAVA_INT, CONTROL_MESSAGE + Long.BYTES, SOL_SOCKET);
    message.set(ValueLayout.JAVA_INT, CONTROL_MESSAGE + Long.BYTES + Integer.BYTES, SCM_RIGHTS);
    MemorySegment.copy(
        descriptors, 0, message, ValueLayout.JAVA_INT, CONTROL_MESSAGE + CONTROL_HEADER, count);
  }

  /** Sends the bytes of a segment; see {@link #send(MemorySegment, long, long, int[], int)}. */
  public long send(MemorySegment data, int[] descriptors, int count) {
    return send(data, 0, data.byteSize(), descriptors, count);
  }

  /**
   * Receives bytes, and the descriptors that came with them, which are the caller's from then on
   * and closed on exec: {@link #received()} says how many. Descriptors for which there is no room
   * are closed, with all others of that call, and the answer is EMSGSIZE.
   *
   * @param data native memory to fill, in whole or in part
   * @param offset where in it to begin
   * @param byteSize how many bytes at most
   * @param descriptors where to put descriptors
   * @param first where in that array to begin
   * @param wait whether to wait for something to come; the answer is EAGAIN otherwise
   * @return how many bytes came, 0 at the end, or a negated errno
   */
  public long receive(
      MemorySegment data, long offset, long byteSize, int[] descriptors, int first, boolean wait) {
    // The kernel gets an address, and would write wherever it points.
    Objects.checkFromIndexSize(offset, byteSize, data.byteSize());
    var message = incoming;
    vector(message, data, offset, byteSize);
    message.set(ValueLayout.JAVA_LONG, CONTROL, message.address() + CONTROL_MESSAGE);
    message.set(ValueLayout.JAVA_LONG, CONTROL_LENGTH, controlSpace(MAX_DESCRIPTORS));
    message.set(ValueLayout.JAVA_LONG, FLAGS, 0);
    received = 0;
    int flags = wait ? MSG_CMSG_CLOEXEC : MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    long result;
    do {
      result = Calls.receiveMessage(fd, message, flags, !wait || limitsReceive);
    } while (result == -EINTR);
    return result < 0 || take(message, descriptors, first) ? result : Errno.EMSGSIZE.result();
  }

  /**
   * Waits for bytes to fill a segment with; see {@link #receive(MemorySegment, long, long, int[],
   * int, boolean)}.
   */
  public long receive(MemorySegment data, int[] descriptors) {
    return receive(data, 0, data.byteSize(), descriptors, 0, true);
  }

  private boolean take(MemorySegment message, int[] descriptors, int first) {
    long length = message.get(ValueLayout.JAVA_LONG, CONTROL_LENGTH);
    boolean complete = ((int) message.get(ValueLayout.JAVA_LONG, FLAGS) & MSG_CTRUNC) == 0;
    long at = 0;
    int count = 0;
    while (at + CONTROL_HEADER <= length) {
      long header = CONTROL_MESSAGE + at;
      long size = message.get(ValueLayout.JAVA_LONG, header);
      if (size < CONTROL_HEADER || size > length - at) {
        break; // the kernel makes none such
      }
      if (message.get(ValueLayout.JAVA_INT, header + Long.BYTES) == SOL_SOCKET
          && message.get(ValueLayout.JAVA_INT, header + Long.BYTES + Integer.BYTES) == SCM_RIGHTS) {
        for (long each = CONTROL_HEADER; each + Integer.BYTES <= size; each += Integer.BYTES) {
          int descriptor = message.get(ValueLayout.JAVA_INT, header + each);
          if (first + count < descriptors.length) {
            descriptors[first + count++] = descriptor;
          } else {
            complete = false;
            LinuxKernel.instance().close(descriptor);
          }
        }
      }
      at += (size + Long.BYTES - 1) & -Long.BYTES;
    }
    if (!complete) {
      for (int i = 0; i < count; i++) {
        LinuxKernel.instance().close(descriptors[first + i]);
      }
      return false;
    }
    received = count;
    return true;
  }

  /** How many descriptors came with what was received last. */
  public int received() {
    return received;
  }

  private static void vector(
      MemorySegment message, MemorySegment data, long offset, long byteSize) {
    message.set(ValueLayout.JAVA_LONG, VECTOR, data.address() + offset);
    message.set(ValueLayout.JAVA_LONG, VECTOR + Long.BYTES, byteSize);
  }

  /** Ends all traffic, and every wait of other threads for it; the descriptor stays open. */
  public void shutdown() {
    // ENOTCONN: the peer was faster.
    Calls.two(Calls.SHUTDOWN, fd, SHUT_RDWR);
  }

  /**
   * Closes it. No thread may be sending or receiving: {@link #shutdown()} ends that. Idempotent.
   */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      LinuxKernel.instance().close(fd);
      arena.close();
    }
  }

  @Override
  public String toString() {
    return "UNIX socket " + name;
  }

  /** The functions of the C library. */
  private static final class Calls {
    private static final FunctionDescriptor TWO =
        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
    private static final FunctionDescriptor ADDRESS =
        FunctionDescriptor.of(
            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
    private static final FunctionDescriptor MESSAGES =
        FunctionDescriptor.of(
            ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT);

    private static final MethodHandle SOCKET =
        link(
            "socket",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT));
    private static final MethodHandle SOCKETPAIR =
        link(
            "socketpair",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS));
    private static final MethodHandle ACCEPT =
        link(
            "accept4",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT));
    private static final MethodHandle SET_OPTION =
        link(
            "setsockopt",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT));
    private static final MethodHandle GET_OPTION =
        link(
            "getsockopt",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.ADDRESS));
    private static final MethodHandle CHANGE_MODE = link("fchmod", TWO);
    static final MethodHandle LISTEN = link("listen", TWO);
    static final MethodHandle SHUTDOWN = link("shutdown", TWO);
    static final MethodHandle CONNECT = link("connect", ADDRESS);
    static final MethodHandle BIND = link("bind", ADDRESS);
    private static final FunctionDescriptor BYTES =
        FunctionDescriptor.of(
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT);
    private static final MethodHandle SEND = LinuxKernel.Native.link("send", BYTES);
    private static final MethodHandle SEND_AGAIN = link("send", BYTES);
    private static final MethodHandle SEND_MESSAGE = link("sendmsg", MESSAGES);
    private static final MethodHandle RECEIVE_MESSAGE =
        LinuxKernel.Native.link("recvmsg", MESSAGES);
    private static final MethodHandle RECEIVE_MESSAGE_AGAIN = link("recvmsg", MESSAGES);

    private static MethodHandle link(String function, FunctionDescriptor descriptor) {
      return LinuxKernel.Native.link(function, descriptor, LinuxKernel.Native.CAPTURE);
    }

    static int create() {
      var capture = LinuxKernel.Native.capture();
      try {
        int result = (int) SOCKET.invokeExact(capture, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    static int pair(MemorySegment both) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result =
            (int) SOCKETPAIR.invokeExact(capture, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    static int accept(int fd) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result =
            (int)
                ACCEPT.invokeExact(
                    capture, fd, MemorySegment.NULL, MemorySegment.NULL, SOCK_CLOEXEC);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    static int setOption(int fd, int option, MemorySegment value) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result =
            (int)
                SET_OPTION.invokeExact(
                    capture, fd, SOL_SOCKET, option, value, (int) value.byteSize());
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    /** The value of an option that is a number, or a negated errno. */
    static int option(int fd, int option) {
      var capture = LinuxKernel.Native.capture();
      try (var arena = Arena.ofConfined()) {
        var value = arena.allocate(ValueLayout.JAVA_INT);
        var size = arena.allocateFrom(ValueLayout.JAVA_INT, Integer.BYTES);
        int result = (int) GET_OPTION.invokeExact(capture, fd, SOL_SOCKET, option, value, size);
        return result >= 0
            ? value.get(ValueLayout.JAVA_INT, 0)
            : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    static int change(int fd, int mode) {
      return two(CHANGE_MODE, fd, mode);
    }

    static int two(MethodHandle handle, int first, int second) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result = (int) handle.invokeExact(capture, first, second);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    static int socketAddress(MethodHandle handle, int fd, MemorySegment address) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result = (int) handle.invokeExact(capture, fd, address, (int) address.byteSize());
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    /** The bytes at {@code address}: most messages are bytes alone, and have less to be read. */
    static long send(int fd, long address, long byteSize, boolean wait) {
      try {
        // Without waiting for room: that is for the second call, or the limit would hold twice.
        long result = (long) SEND.invokeExact(fd, address, byteSize, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (result >= 0) {
          return result;
        }
        return !wait && LinuxKernel.Native.errnoMaybe() == EAGAIN
            ? -EAGAIN
            : sendAgain(fd, address, byteSize, sendFlags(wait));
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    private static int sendFlags(boolean wait) {
      return wait ? MSG_NOSIGNAL : MSG_NOSIGNAL | MSG_DONTWAIT;
    }

    private static long sendAgain(int fd, long address, long byteSize, int flags) {
      var capture = LinuxKernel.Native.capture();
      try {
        long result = (long) SEND_AGAIN.invokeExact(capture, fd, address, byteSize, flags);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    static long sendMessage(int fd, MemorySegment message, boolean wait) {
      return withErrno(SEND_MESSAGE, fd, message, sendFlags(wait));
    }

    /** A receive that may end with nothing is one of many: what else there was, the next finds. */
    static long receiveMessage(int fd, MemorySegment message, int flags, boolean mayEnd) {
      try {
        long result = (long) RECEIVE_MESSAGE.invokeExact(fd, message, flags);
        if (result >= 0) {
          return result;
        }
        return mayEnd && LinuxKernel.Native.errnoMaybe() == EAGAIN
            ? -EAGAIN
            : withErrno(RECEIVE_MESSAGE_AGAIN, fd, message, flags);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    private static long withErrno(MethodHandle handle, int fd, MemorySegment message, int flags) {
      var capture = LinuxKernel.Native.capture();
      try {
        long result = (long) handle.invokeExact(capture, fd, message, flags);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }
}
