// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import io.jvfio.linux.uapi.Statx;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The kernel's description of an open file. Source: {@code statx(2)}, whose struct is the same on
 * all architectures.
 *
 * @param regular whether it has content of a size, and is no device, directory or socket
 * @param byteSize the size of the content; 0 for most of what is not regular, block devices too
 *     ({@link Kernel#fileSize} knows theirs)
 * @param blockSize the unit of the file system; of hugetlbfs the size of a page
 * @param allocatedBytes the space that the content takes: less than its size where it has holes
 * @param links how many names it has; 0 for a file that was deleted
 * @param isBlockDevice whether it is a disk or a part of one
 * @param directMemoryAlignment what the address of memory must be a multiple of for {@link
 *     Kernel#O_DIRECT}; 0 where that is not known, as before Linux 6.1, or not possible
 * @param directOffsetAlignment what offset and length must be a multiple of then; 0 as above
 */
public record FileStatus(
    boolean regular,
    long byteSize,
    long blockSize,
    long allocatedBytes,
    int links,
    boolean isBlockDevice,
    int directMemoryAlignment,
    int directOffsetAlignment) {
  private static final int AT_EMPTY_PATH = 0x1000;
  private static final int S_IFMT = 0xf000;
  private static final int S_IFREG = 0x8000;
  private static final int S_IFBLK = 0x6000;
  private static final int SECTOR = 512;
  private static final int ASKED =
      Statx.STATX_TYPE
          | Statx.STATX_NLINK
          | Statx.STATX_SIZE
          | Statx.STATX_BLOCKS
          | Statx.STATX_DIOALIGN;

  /** Asks this machine's kernel; see {@link Kernel#status}. */
  static FileStatus of(int fd) throws ErrnoException {
    try (var arena = Arena.ofConfined()) {
      var status = Statx.STRUCT.allocate(arena);
      int result = Call.statx(fd, arena.allocateFrom(""), AT_EMPTY_PATH, ASKED, status);
      if (result < 0) {
        throw new ErrnoException("statx(fd " + fd + ")", Errno.ofResult(result));
      }
      return of(status);
    }
  }

  private static FileStatus of(MemorySegment status) {
    int type = Statx.MODE.get(status) & S_IFMT;
    boolean tellsAlignment = (Statx.MASK.get(status) & Statx.STATX_DIOALIGN) != 0;
    return new FileStatus(
        type == S_IFREG,
        Statx.SIZE.get(status),
        Integer.toUnsignedLong(Statx.BLKSIZE.get(status)),
        Statx.BLOCKS.get(status) * SECTOR,
        Statx.NLINK.get(status),
        type == S_IFBLK,
        tellsAlignment ? Statx.DIO_MEM_ALIGN.get(status) : 0,
        tellsAlignment ? Statx.DIO_OFFSET_ALIGN.get(status) : 0);
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
