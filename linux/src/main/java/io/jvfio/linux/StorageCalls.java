// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The functions behind the calls of {@link LinuxKernel} that storage needs, each linked at its
 * first use.
 *
 * <p>Transfers and {@code io_uring_enter} are called without errno and again with it when they fail
 * (see {@link LinuxKernel.Native}): made twice, they do the same. {@code fdatasync} must not be: it
 * tells of an error once, and the second call would say that all is well.
 */
final class StorageCalls {
  private StorageCalls() {}

  /** {@code preadv(2)}, {@code pwritev(2)}. */
  static final class VectorIo {
    private static final FunctionDescriptor DESCRIPTOR =
        FunctionDescriptor.of(
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_INT,
            ValueLayout.JAVA_LONG);
    private static final MethodHandle READ = LinuxKernel.Native.link("preadv", DESCRIPTOR);
    private static final MethodHandle READ_AGAIN =
        LinuxKernel.Native.link("preadv", DESCRIPTOR, LinuxKernel.Native.CAPTURE);
    private static final MethodHandle WRITE = LinuxKernel.Native.link("pwritev", DESCRIPTOR);
    private static final MethodHandle WRITE_AGAIN =
        LinuxKernel.Native.link("pwritev", DESCRIPTOR, LinuxKernel.Native.CAPTURE);

    static long read(int fd, MemorySegment vectors, int count, long offset) {
      try {
        long result = (long) READ.invokeExact(fd, vectors, count, offset);
        return result >= 0 ? result : again(READ_AGAIN, fd, vectors, count, offset);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    static long write(int fd, MemorySegment vectors, int count, long offset) {
      try {
        long result = (long) WRITE.invokeExact(fd, vectors, count, offset);
        return result >= 0 ? result : again(WRITE_AGAIN, fd, vectors, count, offset);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    private static long again(
        MethodHandle handle, int fd, MemorySegment vectors, int count, long offset) {
      var capture = LinuxKernel.Native.capture();
      try {
        long result = (long) handle.invokeExact(capture, fd, vectors, count, offset);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }

  /** {@code lseek(2)} to the end. */
  static final class Size {
    private static final int SEEK_END = 2;
    private static final MethodHandle HANDLE =
        LinuxKernel.Native.link(
            "lseek",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT),
            LinuxKernel.Native.CAPTURE);

    static long call(int fd) {
      var capture = LinuxKernel.Native.capture();
      try {
        long result = (long) HANDLE.invokeExact(capture, fd, 0L, SEEK_END);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }

  /** {@code ftruncate(2)}. */
  static final class Truncation {
    private static final MethodHandle HANDLE =
        LinuxKernel.Native.link(
            "ftruncate",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG),
            LinuxKernel.Native.CAPTURE);

    static int call(int fd, long byteSize) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, fd, byteSize);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }

  /** {@code fallocate(2)}. */
  static final class Allocation {
    private static final MethodHandle HANDLE =
        LinuxKernel.Native.link(
            "fallocate",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG),
            LinuxKernel.Native.CAPTURE);

    static int call(int fd, int mode, long offset, long byteSize) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, fd, mode, offset, byteSize);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }

  /** {@code fdatasync(2)}. */
  static final class Synchronization {
    private static final MethodHandle HANDLE =
        LinuxKernel.Native.link(
            "fdatasync",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT),
            LinuxKernel.Native.CAPTURE);

    static int call(int fd) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, fd);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }

  /** {@code fcntl(2)} with {@code F_OFD_SETLK}. */
  static final class Lock {
    private static final int F_OFD_SETLK = 37;
    static final short F_RDLCK = 0;
    static final short F_WRLCK = 1;
    static final short F_UNLCK = 2;

    /** {@code struct flock} of 64-bit machines: zeroes behind its type mean the whole file. */
    private static final long STRUCT_SIZE = 32;

    private static final MethodHandle HANDLE =
        LinuxKernel.Native.link(
            "fcntl",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS),
            LinuxKernel.Native.CAPTURE,
            Linker.Option.firstVariadicArg(2));

    static int call(int fd, short type) {
      var capture = LinuxKernel.Native.capture();
      try (var arena = Arena.ofConfined()) {
        var lock = arena.allocate(STRUCT_SIZE, Long.BYTES);
        lock.set(ValueLayout.JAVA_SHORT, 0, type);
        int result = (int) HANDLE.invokeExact(capture, fd, F_OFD_SETLK, lock);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }

  /**
   * {@code io_uring_setup(2)} and its like by {@code syscall(2)}: the C library has no functions
   * for them. Their numbers are the same everywhere. All arguments are as wide as a register.
   */
  static final class Uring {
    private static final long SETUP_NUMBER = 425;
    private static final long ENTER_NUMBER = 426;
    private static final long REGISTER_NUMBER = 427;
    private static final Linker.Option VARIADIC = Linker.Option.firstVariadicArg(1);

    private static final FunctionDescriptor ENTERING =
        FunctionDescriptor.of(
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG);
    private static final MethodHandle ENTER =
        LinuxKernel.Native.link("syscall", ENTERING, VARIADIC);
    private static final MethodHandle ENTER_AGAIN =
        LinuxKernel.Native.link("syscall", ENTERING, VARIADIC, LinuxKernel.Native.CAPTURE);
    private static final MethodHandle SETUP =
        LinuxKernel.Native.link(
            "syscall",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.ADDRESS),
            VARIADIC,
            LinuxKernel.Native.CAPTURE);
    private static final MethodHandle REGISTER =
        LinuxKernel.Native.link(
            "syscall",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG),
            VARIADIC,
            LinuxKernel.Native.CAPTURE);

    static int setup(int entries, MemorySegment params) {
      var capture = LinuxKernel.Native.capture();
      try {
        long result = (long) SETUP.invokeExact(capture, SETUP_NUMBER, (long) entries, params);
        return result >= 0 ? (int) result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    static int enter(int fd, int toSubmit, int minComplete, int flags) {
      try {
        long result =
            (long)
                ENTER.invokeExact(
                    ENTER_NUMBER,
                    (long) fd,
                    (long) toSubmit,
                    (long) minComplete,
                    (long) flags,
                    0L,
                    0L);
        return result >= 0 ? (int) result : enterAgain(fd, toSubmit, minComplete, flags);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    private static int enterAgain(int fd, int toSubmit, int minComplete, int flags) {
      var capture = LinuxKernel.Native.capture();
      try {
        long result =
            (long)
                ENTER_AGAIN.invokeExact(
                    capture,
                    ENTER_NUMBER,
                    (long) fd,
                    (long) toSubmit,
                    (long) minComplete,
                    (long) flags,
                    0L,
                    0L);
        return result >= 0 ? (int) result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }

    static int register(int fd, int operation, MemorySegment argument, int count) {
      var capture = LinuxKernel.Native.capture();
      try {
        long result =
            (long)
                REGISTER.invokeExact(
                    capture, REGISTER_NUMBER, (long) fd, (long) operation, argument, (long) count);
        return result >= 0 ? (int) result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }

  /** {@code sched_getaffinity(2)}, {@code sched_setaffinity(2)}. */
  static final class Affinity {
    /** A bit for each of the 8192 processors that Linux can be built for at most. */
    static final long MASK_SIZE = 1024;

    private static final int THIS_THREAD = 0;
    private static final FunctionDescriptor DESCRIPTOR =
        FunctionDescriptor.of(
            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS);
    private static final MethodHandle GET =
        LinuxKernel.Native.link("sched_getaffinity", DESCRIPTOR, LinuxKernel.Native.CAPTURE);
    private static final MethodHandle SET =
        LinuxKernel.Native.link("sched_setaffinity", DESCRIPTOR, LinuxKernel.Native.CAPTURE);

    static int ofThisThread(MemorySegment mask) {
      return call(GET, mask);
    }

    static int bindThisThread(MemorySegment mask) {
      return call(SET, mask);
    }

    private static int call(MethodHandle handle, MemorySegment mask) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result = (int) handle.invokeExact(capture, THIS_THREAD, MASK_SIZE, mask);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }
}
