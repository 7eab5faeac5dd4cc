// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
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

  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;
  private static final int MSG_CTRUNC = 8;

  /** As many as the kernel lets wait ({@code net.core.somaxconn}), which takes less than that. */
  private static final int BACKLOG = 4096;

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

  private final Kernel kernel;
  private final int fd;
  private final String name;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment outgoing = allocate();
  private final MemorySegment incoming = allocate();
  private final AtomicBoolean closed = new AtomicBoolean();
  private volatile boolean limitsReceive;
  private int received;

  private UnixSocket(Kernel kernel, int fd, String name) {
    this.kernel = kernel;
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
   * @param kernel makes all system calls of this socket
   * @throws ErrnoException ENOENT where there is none, ECONNREFUSED where nobody listens any more
   * @throws IllegalArgumentException if the path is longer than {@link #MAX_PATH_BYTES}
   */
  public static UnixSocket connect(Kernel kernel, String path) throws ErrnoException {
    return connect(kernel, path, 0);
  }

  /**
   * Connects to a socket that listens at {@code path}; {@link #limitWaits} for sending, and for the
   * place in the queue of those who wait to be accepted.
   *
   * @param kernel makes all system calls of this socket
   * @param millis the limit; 0 for none
   * @throws ErrnoException ENOENT where there is none, ECONNREFUSED where nobody listens any more,
   *     EAGAIN where the queue stays full
   * @throws IllegalArgumentException if the path is longer than {@link #MAX_PATH_BYTES}
   */
  public static UnixSocket connect(Kernel kernel, String path, long millis) throws ErrnoException {
    var socket = created(kernel, path);
    if (millis > 0) {
      socket.limitWaits(0, millis);
    }
    return socket.checked("connect(" + path + ")", kernel.connect(socket.fd, path));
  }

  /**
   * Listens at {@code path}, which must not exist; it stays when the socket is closed.
   *
   * @param kernel makes all system calls of this socket, and of those that it accepts
   * @param mode who may connect, as {@code chmod(2)} has it, such as 0600; the process's umask
   *     takes from it
   * @throws ErrnoException EADDRINUSE where the path exists
   * @throws IllegalArgumentException if the path is longer than {@link #MAX_PATH_BYTES}
   */
  public static UnixSocket listen(Kernel kernel, String path, int mode) throws ErrnoException {
    var socket = bind(kernel, path, mode);
    socket.listen();
    return socket;
  }

  /**
   * Makes a socket at {@code path} as {@link #listen(Kernel, String, int)} does, to which nobody
   * can connect before {@link #listen()}: so its file can be given to whom it is for first.
   *
   * @param kernel makes all system calls of this socket, and of those that it accepts
   * @throws ErrnoException EADDRINUSE where the path exists
   * @throws IllegalArgumentException if the path is longer than {@link #MAX_PATH_BYTES}
   */
  public static UnixSocket bind(Kernel kernel, String path, int mode) throws ErrnoException {
    var socket = created(kernel, path);
    // The mode of the socket is that of the file which bind makes: nobody can connect in between.
    socket.checked("fchmod(" + path + ")", kernel.changeMode(socket.fd, mode));
    return socket.checked("bind(" + path + ")", kernel.bind(socket.fd, path));
  }

  /**
   * Lets others connect from here on, as many at once as the kernel lets wait.
   *
   * @throws ErrnoException if it is no socket that was bound; it is closed then
   */
  public void listen() throws ErrnoException {
    checked("listen(" + name + ")", kernel.listen(fd, BACKLOG));
  }

  /** Makes two sockets that are connected to each other. */
  public static Pair pair(Kernel kernel) throws ErrnoException {
    var both = new int[2];
    int result = kernel.socketPair(both);
    if (result < 0) {
      throw new ErrnoException("socketpair", Errno.ofResult(result));
    }
    return new Pair(adopt(kernel, both[0]), adopt(kernel, both[1]));
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
  public static UnixSocket adopt(Kernel kernel, int fd) {
    return new UnixSocket(kernel, fd, "descriptor " + fd);
  }

  /**
   * Tells why nobody can be accepted at a descriptor.
   *
   * @return what it is instead of a UNIX stream socket that listens, as "a pipe"; empty if it is
   *     one
   */
  public static Optional<String> notListening(Kernel kernel, int fd) {
    int domain = kernel.socketOption(fd, Kernel.SO_DOMAIN);
    if (domain < 0) {
      return Optional.of(kind(kernel, fd));
    }
    if (domain != Kernel.AF_UNIX) {
      return Optional.of("a socket of another address family, number " + domain);
    }
    if (kernel.socketOption(fd, Kernel.SO_TYPE) != Kernel.SOCK_STREAM) {
      return Optional.of("a UNIX socket of another type than SOCK_STREAM");
    }
    return kernel.socketOption(fd, Kernel.SO_ACCEPTCONN) == 1
        ? Optional.empty()
        : Optional.of("a UNIX socket that does not listen");
  }

  /** What a descriptor is that is no socket. */
  private static String kind(Kernel kernel, int fd) {
    try {
      var target = kernel.readLink("/proc/self/fd/" + fd);
      return target.startsWith("pipe:") ? "a pipe" : "no socket but " + target;
    } catch (ErrnoException e) {
      return "not open";
    }
  }

  private static UnixSocket created(Kernel kernel, String path) throws ErrnoException {
    if (path.getBytes(StandardCharsets.UTF_8).length > MAX_PATH_BYTES) {
      throw new IllegalArgumentException(
          "the path of a socket has at most %d bytes: %s".formatted(MAX_PATH_BYTES, path));
    }
    int fd = kernel.socket();
    if (fd < 0) {
      throw new ErrnoException("socket(AF_UNIX)", Errno.ofResult(fd));
    }
    return new UnixSocket(kernel, fd, path);
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
      result = kernel.accept(fd);
    } while (result == Errno.ECONNABORTED.result());
    if (result < 0) {
      throw new ErrnoException("accept(" + name + ")", Errno.ofResult(result));
    }
    return new UnixSocket(kernel, result, name);
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
      limit(Kernel.SO_RCVTIMEO, receiveMillis, time);
      limitsReceive = receiveMillis > 0;
      limit(Kernel.SO_SNDTIMEO, sendMillis, time);
    }
  }

  private void limit(int option, long millis, MemorySegment time) throws ErrnoException {
    time.set(ValueLayout.JAVA_LONG, 0, millis / 1000);
    time.set(ValueLayout.JAVA_LONG, Long.BYTES, millis % 1000 * 1000);
    checked("setsockopt(" + name + ")", kernel.setSocketOption(fd, option, time));
  }

  /** The kernel that makes the system calls of this socket. */
  public Kernel kernel() {
    return kernel;
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
    return count > 0
        ? kernel.sendMessage(fd, outgoing, wait)
        : kernel.send(fd, data, offset, byteSize, wait);
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
    long result = kernel.receiveMessage(fd, message, wait, limitsReceive);
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
            kernel.close(descriptor);
          }
        }
      }
      at += (size + Long.BYTES - 1) & -Long.BYTES;
    }
    if (!complete) {
      for (int i = 0; i < count; i++) {
        kernel.close(descriptors[first + i]);
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
    kernel.shutdown(fd);
  }

  /**
   * Closes it. No thread may be sending or receiving: {@link #shutdown()} ends that. Idempotent.
   */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      kernel.close(fd);
      arena.close();
    }
  }

  @Override
  public String toString() {
    return "UNIX socket " + name;
  }
}
