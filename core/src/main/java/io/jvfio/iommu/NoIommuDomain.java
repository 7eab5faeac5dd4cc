// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.DmaAccess;
import io.jvfio.DmaWindow;
import io.jvfio.IommuType;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.OpenFile;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.spi.Explanation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * No IOMMU: the device's addresses are physical ones. Pages are locked, and their physical
 * addresses read from {@code /proc/self/pagemap}; a buffer whose pages do not follow each other in
 * physical memory is refused. Source: {@code Documentation/admin-guide/mm/pagemap.rst}.
 *
 * <p>mlock(2) keeps pages in memory and does not keep the kernel from moving them, such as to make
 * huge pages: a further reason why this type is only taken by name.
 */
public final class NoIommuDomain extends ContainerDomain {
  private static final String PAGEMAP = "/proc/self/pagemap";
  private static final long PRESENT = 1L << 63;
  private static final long FRAME_MASK = (1L << 55) - 1;

  public NoIommuDomain(OpenContainer container) {
    super(IommuType.NOIOMMU, Locking.AHEAD, container);
  }

  @Override
  public void describe() {
    // There is nothing to ask: every container ioctl is ENOTTY from here on.
    windows().add(new DmaWindow(0, -1, kernel().pageSize()));
  }

  @Override
  public void enable() {
    // the device reaches everything already
  }

  @Override
  void lock(long address, long byteSize) throws Refusal {
    int result = kernel().mlock(address, byteSize);
    if (result < 0) {
      throw Refusal.answered(
          "mlock",
          result,
          explanations().memory(Errno.ofResult(result), byteSize, "locking a buffer of this size"));
    }
  }

  @Override
  void unlock(long address, long byteSize) throws Refusal {
    int result = kernel().munlock(address, byteSize);
    if (result < 0) {
      throw Refusal.answered("munlock", result, Explanations.unexpected());
    }
  }

  @Override
  public long physicalAddress(long address, long byteSize) throws Refusal {
    int pageSize = kernel().pageSize();
    int fd = kernel().open(PAGEMAP, Kernel.O_RDONLY);
    if (fd < 0) {
      throw Refusal.answered("open(" + PAGEMAP + ")", fd, privilege());
    }
    var pagemap = new OpenFile(kernel(), PAGEMAP, fd);
    try (pagemap;
        var arena = Arena.ofConfined()) {
      int pages = Math.toIntExact(byteSize / pageSize);
      var entries = arena.allocate(ValueLayout.JAVA_LONG, pages);
      long read = pagemap.read(entries, address / pageSize * Long.BYTES);
      if (read < 0) {
        throw Refusal.answered("read(" + PAGEMAP + ")", read, privilege());
      }
      if (read < entries.byteSize()) {
        throw Refusal.notAsked("read(" + PAGEMAP + ")", privilege());
      }
      long firstFrame = frame(entries.getAtIndex(ValueLayout.JAVA_LONG, 0));
      for (int i = 1; i < pages; i++) {
        if (frame(entries.getAtIndex(ValueLayout.JAVA_LONG, i)) != firstFrame + i) {
          throw Refusal.notAsked(
              "map",
              new Explanation(
                  "Without an IOMMU memory must be one piece of physical memory, and these %,d bytes are not."
                      .formatted(byteSize),
                  "Use pieces of %,d bytes, one page; or reserve huge pages, of which jvfio makes larger buffers: echo 64 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages."
                      .formatted(pageSize)));
        }
      }
      return firstFrame * pageSize;
    }
  }

  private static long frame(long entry) throws Refusal {
    if ((entry & PRESENT) == 0 || (entry & FRAME_MASK) == 0) {
      throw Refusal.notAsked("read(" + PAGEMAP + ")", privilege());
    }
    return entry & FRAME_MASK;
  }

  private static Explanation privilege() {
    return new Explanation(
        "Physical addresses are hidden from this process.",
        "Run as root, or give the process CAP_SYS_ADMIN.");
  }

  @Override
  public void map(MemorySegment memory, long address, long iova, long byteSize, DmaAccess access) {
    // the device reaches everything already
  }

  @Override
  public void unmap(long iova, long byteSize) {
    // nothing stands between the device and the memory
  }
}
