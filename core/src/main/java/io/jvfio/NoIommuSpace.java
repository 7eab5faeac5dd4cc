package io.jvfio;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * No IOMMU: the device's addresses are physical ones. Pages are locked, and their physical
 * addresses read from {@code /proc/self/pagemap}; a buffer whose pages do not follow each other in
 * physical memory is refused. Source: {@code Documentation/admin-guide/mm/pagemap.rst}.
 */
final class NoIommuSpace extends ContainerSpace {
  private static final String PAGEMAP = "/proc/self/pagemap";
  private static final long PRESENT = 1L << 63;
  private static final long FRAME_MASK = (1L << 55) - 1;

  NoIommuSpace(OpenContainer container) {
    super(IommuType.NOIOMMU, container);
  }

  @Override
  void describe() {
    // there is nothing to ask: every container ioctl is ENOTTY from here on
  }

  @Override
  void enable() {
    // the device reaches everything already
  }

  @Override
  public List<DmaWindow> windows() {
    return List.of(new DmaWindow(0, -1, kernel().pageSize()));
  }

  @Override
  long map(long address, long byteSize) throws Refusal {
    int result = kernel().mlock(address, byteSize);
    if (result < 0) {
      throw Refusal.answered(
          "mlock",
          result,
          explanations().memory(Errno.ofResult(result), byteSize, "locking a buffer of this size"));
    }
    return physicalAddress(address, byteSize);
  }

  private long physicalAddress(long address, long byteSize) throws Refusal {
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
      long first = frame(entries.getAtIndex(ValueLayout.JAVA_LONG, 0));
      for (int i = 1; i < pages; i++) {
        if (frame(entries.getAtIndex(ValueLayout.JAVA_LONG, i)) != first + i) {
          throw Refusal.notAsked(
              "allocate",
              new Explanation(
                  "Without an IOMMU a buffer must be one piece of physical memory, and these %,d bytes are not."
                      .formatted(byteSize),
                  "Use buffers of %,d bytes, one page.".formatted(pageSize)));
        }
      }
      return first * pageSize;
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
  void unmap(long address, long iova, long byteSize) {
    // unlocked when the memory is freed, which comes next
  }
}
