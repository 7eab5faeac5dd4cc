package io.jvfio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * What this machine's kernel tells of an open file. Source: {@code statx(2)}, whose struct is the
 * same on all architectures.
 *
 * @param regular whether it has content of a size, and is no device, directory or socket
 * @param byteSize the size of the content; 0 for most of what is not regular
 * @param blockSize the unit of the file system; of hugetlbfs the size of a page
 */
public record FileStatus(boolean regular, long byteSize, long blockSize) {
  private static final int AT_EMPTY_PATH = 0x1000;
  private static final int STATX_TYPE_AND_SIZE = 0x201;
  private static final int S_IFMT = 0xf000;
  private static final int S_IFREG = 0x8000;

  private static final long STRUCT_SIZE = 256;
  private static final long BLOCK_SIZE_OFFSET = 4;
  private static final long MODE_OFFSET = 28;
  private static final long SIZE_OFFSET = 40;

  /**
   * Asks for the file behind {@code fd}.
   *
   * @throws ErrnoException EBADF if there is none, or why the kernel cannot tell
   */
  public static FileStatus of(int fd) throws ErrnoException {
    try (var arena = Arena.ofConfined()) {
      var status = arena.allocate(STRUCT_SIZE, Long.BYTES);
      int result =
          Call.statx(fd, arena.allocateFrom(""), AT_EMPTY_PATH, STATX_TYPE_AND_SIZE, status);
      if (result < 0) {
        throw new ErrnoException("statx(fd " + fd + ")", Errno.ofResult(result));
      }
      return new FileStatus(
          (status.get(ValueLayout.JAVA_SHORT, MODE_OFFSET) & S_IFMT) == S_IFREG,
          status.get(ValueLayout.JAVA_LONG, SIZE_OFFSET),
          Integer.toUnsignedLong(status.get(ValueLayout.JAVA_INT, BLOCK_SIZE_OFFSET)));
    }
  }

  private static final class Call {
    private static final MethodHandle HANDLE =
        LinuxKernel.Native.link(
            "statx",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS),
            LinuxKernel.Native.CAPTURE);

    static int statx(int fd, MemorySegment path, int flags, int mask, MemorySegment status) {
      var capture = LinuxKernel.Native.capture();
      try {
        int result = (int) HANDLE.invokeExact(capture, fd, path, flags, mask, status);
        return result >= 0 ? result : LinuxKernel.Native.negatedErrno(capture);
      } catch (Throwable t) {
        throw LinuxKernel.Native.unexpected(t);
      }
    }
  }
}
