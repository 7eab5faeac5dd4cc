// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import io.jvfio.BufferOptions;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.spi.Explanation;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Zeroed memory of a buffer, before it is mapped and after.
 *
 * @param address in this process
 * @param byteSize whole pages, in bytes
 * @param pageSize of the pages that it is made of, in bytes
 * @param fd the memory file, if it is one
 * @param fallback why the pages are not those wished for
 */
record DmaMemory(
    long address, long byteSize, long pageSize, OptionalInt fd, Optional<String> fallback) {
  private static final int READ_WRITE = Kernel.PROT_READ | Kernel.PROT_WRITE;

  static DmaMemory allocate(HostFacts facts, long byteSize, BufferOptions options) throws Refusal {
    var kernel = facts.kernel();
    long system = kernel.pageSize();
    if (options.pageSize() <= system) {
      return allocate(kernel, byteSize, system, system, options.shared(), Optional.empty());
    }
    try {
      return allocate(
          kernel, byteSize, options.pageSize(), system, options.shared(), Optional.empty());
    } catch (Refusal refusal) {
      var why = facts.whyNoHugePages(options.pageSize(), byteSize, refusal);
      return allocate(kernel, byteSize, system, system, options.shared(), Optional.of(why.text()));
    }
  }

  private static DmaMemory allocate(
      Kernel kernel,
      long byteSize,
      long pageSize,
      long systemPage,
      boolean shared,
      Optional<String> fallback)
      throws Refusal {
    if (byteSize > Long.MAX_VALUE - pageSize) {
      throw new IllegalArgumentException(
          "no address space has room for %,d bytes".formatted(byteSize));
    }
    long rounded = (byteSize + pageSize - 1) & -pageSize;
    int hugeSize = Long.numberOfTrailingZeros(pageSize) << Kernel.MAP_HUGE_SHIFT;
    boolean huge = pageSize != systemPage;
    if (!shared) {
      int flags =
          Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS | (huge ? Kernel.MAP_HUGETLB | hugeSize : 0);
      long address = kernel.mmap(rounded, READ_WRITE, flags, -1, 0);
      if (address < 0) {
        throw noMemory("mmap", address, rounded);
      }
      return new DmaMemory(address, rounded, pageSize, OptionalInt.empty(), fallback);
    }
    int fd = kernel.memoryFile("jvfio", huge ? Kernel.MFD_HUGETLB | hugeSize : 0, rounded);
    if (fd < 0) {
      throw noMemory("memfd_create", fd, rounded);
    }
    long address = kernel.mmap(rounded, READ_WRITE, Kernel.MAP_SHARED, fd, 0);
    if (address < 0) {
      kernel.close(fd);
      throw noMemory("mmap", address, rounded);
    }
    return new DmaMemory(address, rounded, pageSize, OptionalInt.of(fd), fallback);
  }

  private static Refusal noMemory(String call, long result, long byteSize) {
    return Refusal.answered(
        call,
        result,
        Errno.ofResult(result).equals(Errno.EMFILE)
            ? new Explanation("Too many files are open.", "Close some, or raise 'ulimit -n'.")
            : new Explanation(
                "The kernel has no memory for a buffer of %,d bytes.".formatted(byteSize),
                "Free memory on this machine."));
  }

  /** Gives the memory back; the descriptor goes in any case. */
  void free(Kernel kernel) throws Refusal {
    int unmapped = kernel.munmap(address, byteSize);
    int closed = fd.isPresent() ? kernel.close(fd.getAsInt()) : 0;
    if (unmapped < 0) {
      throw Refusal.answered(
          "munmap", unmapped, new Explanation("The memory of a buffer could not be freed.", ""));
    }
    if (closed < 0) {
      throw Refusal.answered(
          "close",
          closed,
          new Explanation("The memory file of a buffer was closed by somebody else.", ""));
    }
  }
}
