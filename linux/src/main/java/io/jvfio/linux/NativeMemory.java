// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Memory outside of the heap: known by its address only, or so much that it has pages of its own.
 * Safe for use by several threads.
 */
public final class NativeMemory {
  /** Less is not worth two system calls. */
  private static final long LARGE = 256 << 10;

  private NativeMemory() {}

  /**
   * The memory at {@code address}, usable until {@code lifetime} is closed.
   *
   * <p>The caller vouches that {@code byteSize} bytes are mapped there for as long.
   */
  // SAFETY: the one place where an address becomes memory; callers hold the mapping.
  @SuppressWarnings("restricted")
  public static MemorySegment at(long address, long byteSize, Arena lifetime) {
    return MemorySegment.ofAddress(address).reinterpret(byteSize, lifetime, null);
  }

  /**
   * Allocates zeroed memory, as {@link Arena#allocate(long, long)} does; but much of it takes time
   * and room only where it is touched, for it is pages of its own. Source: {@code mmap(2)}.
   *
   * @param byteSize how much, zero or more
   * @param alignment of the address, a power of two
   * @param lifetime whose end unmaps it; the memory can be used by the threads that it allows
   * @throws OutOfMemoryError when the machine has not so much
   * @throws IllegalStateException if {@code lifetime} is closed
   * @throws WrongThreadException if it is another thread's
   */
  // SAFETY: the segment is in the mapping just made, which the arena's end removes.
  @SuppressWarnings("restricted")
  public static MemorySegment allocate(long byteSize, long alignment, Arena lifetime) {
    if (byteSize < LARGE || !SharedMemory.isAvailable()) {
      return lifetime.allocate(byteSize, alignment);
    }
    var kernel = LinuxKernel.instance();
    // The kernel aligns to pages only.
    long room = byteSize + alignment;
    int protection = Kernel.PROT_READ | Kernel.PROT_WRITE;
    long mapped = kernel.mmap(room, protection, Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS, -1, 0);
    if (mapped < 0) {
      throw new OutOfMemoryError(
          "mmap of %d bytes: %s".formatted(room, Errno.ofResult(mapped).symbol()));
    }
    try {
      return MemorySegment.ofAddress((mapped + alignment - 1) & -alignment)
          .reinterpret(byteSize, lifetime, _ -> kernel.munmap(mapped, room));
    } catch (RuntimeException | Error e) {
      kernel.munmap(mapped, room); // the arena is closed, or not this thread's
      throw e;
    }
  }
}
