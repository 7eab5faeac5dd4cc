// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;

/**
 * The functions behind the calls of {@link LinuxKernel} that sockets need.
 *
 * <p>Those that carry messages are called without errno and again with it when they fail (see
 * {@link LinuxKernel.Native}).
 */
final class SocketCalls {
  static final int SHUT_RDWR = 2;

  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;
  private static final int EAGAIN = Errno.EAGAIN.number();

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
  static final MethodHandle CHANGE_MODE = link("fchmod", TWO);
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
  private static final MethodHandle RECEIVE_MESSAGE = LinuxKernel.Native.link("recvmsg", MESSAGES);
  private static final MethodHandle RECEIVE_MESSAGE_AGAIN = link("recvmsg", MESSAGES);

  private SocketCalls() {}

  private static MethodHandle link(String function, FunctionDescriptor descriptor) {
    return LinuxKernel.Native.link(function, descriptor, LinuxKernel.Native.CAPTURE);
  }

  static int create() {
    var capture = LinuxKernel.Native.capture();
    try {
      int result =
          (int) SOCKET.invokeExact(capture, Kernel.AF_UNIX, Kernel.SOCK_STREAM | SOCK_CLOEXEC, 0);
      return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
    } catch (Throwable t) {
      throw LinuxKernel.Native.unexpected(t);
    }
  }

  static int pair(MemorySegment both) {
    var capture = LinuxKernel.Native.capture();
    try {
      int result =
          (int)
              SOCKETPAIR.invokeExact(
                  capture, Kernel.AF_UNIX, Kernel.SOCK_STREAM | SOCK_CLOEXEC, 0, both);
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
              ACCEPT.invokeExact(capture, fd, MemorySegment.NULL, MemorySegment.NULL, SOCK_CLOEXEC);
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

  private static MemorySegment address(String path, Arena arena) {
    var bytes = path.getBytes(StandardCharsets.UTF_8);
    var address = arena.allocate(Short.BYTES + bytes.length + 1L, Long.BYTES);
    address.set(ValueLayout.JAVA_SHORT, 0, (short) Kernel.AF_UNIX);
    MemorySegment.copy(bytes, 0, address, ValueLayout.JAVA_BYTE, Short.BYTES, bytes.length);
    return address;
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

  static int two(MethodHandle handle, int first, int second) {
    var capture = LinuxKernel.Native.capture();
    try {
      int result = (int) handle.invokeExact(capture, first, second);
      return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
    } catch (Throwable t) {
      throw LinuxKernel.Native.unexpected(t);
    }
  }

  /** {@code bind} or {@code connect} with a {@code struct sockaddr_un}. */
  static int withAddress(MethodHandle handle, int fd, String path) {
    var capture = LinuxKernel.Native.capture();
    try (var arena = Arena.ofConfined()) {
      var address = address(path, arena);
      int result = (int) handle.invokeExact(capture, fd, address, (int) address.byteSize());
      return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
    } catch (Throwable t) {
      throw LinuxKernel.Native.unexpected(t);
    }
  }

  /** The bytes at {@code address}: most messages are bytes alone, and have less to be read. */
  static long send(int fd, long address, long byteSize, boolean waits) {
    try {
      // Without waiting for room: that is for the second call, or the limit would hold twice.
      long result = (long) SEND.invokeExact(fd, address, byteSize, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (result >= 0) {
        return result;
      }
      return !waits && LinuxKernel.Native.errnoMaybe() == EAGAIN
          ? -EAGAIN
          : sendAgain(fd, address, byteSize, sendFlags(waits));
    } catch (Throwable t) {
      throw LinuxKernel.Native.unexpected(t);
    }
  }

  private static int sendFlags(boolean waits) {
    return waits ? MSG_NOSIGNAL : MSG_NOSIGNAL | MSG_DONTWAIT;
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

  static long sendMessage(int fd, MemorySegment message, boolean waits) {
    return withErrno(SEND_MESSAGE, fd, message, sendFlags(waits));
  }

  /** A receive that may end with nothing is one of many: what else there was, the next finds. */
  static long receiveMessage(int fd, MemorySegment message, boolean waits, boolean isLimited) {
    int flags = waits ? MSG_CMSG_CLOEXEC : MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    try {
      long result = (long) RECEIVE_MESSAGE.invokeExact(fd, message, flags);
      if (result >= 0) {
        return result;
      }
      return (!waits || isLimited) && LinuxKernel.Native.errnoMaybe() == EAGAIN
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
