// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Pages of the machine that this JVM runs on, which can be seen at several addresses at once. They
 * exist when they are touched first. Source: {@code memfd_create(2)}, {@code mmap(2)}.
 */
public final class SharedMemory implements AutoCloseable {
  private static final int PROT_NONE = 0;
  private static final int MAP_FIXED = 0x10;

  private final int fd;
  private boolean closed;

  private SharedMemory(int fd) {
    this.fd = fd;
  }

  /** Whether this machine has such memory: Linux does. */
  public static boolean isAvailable() {
    return System.getProperty("os.name", "").equals("Linux");
  }

  /**
   * Allocates zeroed memory.
   *
   * @param byteSize how much, zero or more
   * @throws ErrnoException when the kernel has no descriptor or no room for it
   */
  public static SharedMemory allocate(long byteSize) throws ErrnoException {
    int fd = LinuxKernel.instance().memoryFile("jvfio", 0, byteSize);
    if (fd < 0) {
      throw new ErrnoException("memfd_create(" + byteSize + " bytes)", Errno.ofResult(fd));
    }
    return new SharedMemory(fd);
  }

  /**
   * Maps a part of it until {@code lifetime} is closed, which may be after this is. Touching what
   * is past the end throws {@link InternalError}.
   *
   * @param offset where the part starts, a multiple of the page size
   * @param byteSize its size, a multiple of the page size
   * @param alignment of the address, a power of two of at least the page size
   * @param copied whether what is written through the view stays in the view
   * @throws ErrnoException when the address space has no room
   */
  // SAFETY: the segment is the mapping just made, which the arena's end removes.
  @SuppressWarnings("restricted")
  public MemorySegment map(
      long offset, long byteSize, long alignment, boolean copied, Arena lifetime)
      throws ErrnoException {
    var kernel = LinuxKernel.instance();
    // The kernel aligns to pages only, so room is reserved from which an aligned part is taken.
    long reserved = byteSize + alignment;
    long room = kernel.mmap(reserved, PROT_NONE, Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS, -1, 0);
    if (room < 0) {
      throw new ErrnoException("mmap(" + reserved + " bytes)", Errno.ofResult(room));
    }
    long mapped =
        kernel.mmapAt(
            (room + alignment - 1) & -alignment,
            byteSize,
            Kernel.PROT_READ | Kernel.PROT_WRITE,
            (copied ? Kernel.MAP_PRIVATE : Kernel.MAP_SHARED) | MAP_FIXED,
            fd,
            offset);
    if (mapped < 0) {
      kernel.munmap(room, reserved);
      throw new ErrnoException("mmap(" + byteSize + " bytes)", Errno.ofResult(mapped));
    }
    return MemorySegment.ofAddress(mapped)
        .reinterpret(byteSize, lifetime, _ -> kernel.munmap(room, reserved));
  }

  /** Gives the pages back that no view shows. Idempotent. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      LinuxKernel.instance().close(fd);
    }
  }

  @Override
  public String toString() {
    return "shared memory, descriptor " + fd;
  }
}
