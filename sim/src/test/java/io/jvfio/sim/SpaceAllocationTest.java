package io.jvfio.sim;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.DmaMapping;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.Sharing;
import io.jvfio.VfioHost;
import io.jvfio.linux.Architecture;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import io.jvfio.linux.uapi.Vfio;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Mapping and unmapping what has its address allocates nothing on the Java heap. */
class SpaceAllocationTest {
  private static final int WARM_UP = 20_000;
  private static final int MEASURED = 1_000;

  /** A busy machine takes its time to compile what is measured. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

  @ParameterizedTest
  @CsvSource({
    "x86-6.12, type1v2",
    "pseries-6.12, spapr-tce",
    "pseries-6.12, spapr-tce-v2",
  })
  void mapsAndUnmapsWithoutAllocating(String name, String type) {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var simulated = SimulatedHosts.open(name)) {
      var kernel = new QuickKernel(simulated.kernel());
      var host = VfioHost.of(name, kernel);
      int id =
          host.groups().stream()
              .filter(group -> group.isBoundToVfio())
              .findFirst()
              .orElseThrow()
              .id();
      try (var groups =
          host.openGroups(
              List.of(id), IommuPolicy.require(IommuType.of(type)), Sharing.WHERE_POSSIBLE)) {
        var mapping = groups.dmaSpace().allocate(4096);
        kernel.quick = true;
        mapAndUnmap(mapping, WARM_UP);
        long least = Long.MAX_VALUE;
        for (long start = System.nanoTime();
            least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
          long before = threads.getCurrentThreadAllocatedBytes();
          mapAndUnmap(mapping, MEASURED);
          least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        kernel.quick = false;
        assertThat(kernel.answered).isGreaterThanOrEqualTo(2L * (WARM_UP + MEASURED));
        assertThat(least).isZero();
      }
    }
  }

  private static void mapAndUnmap(DmaMapping mapping, int times) {
    for (int i = 0; i < times; i++) {
      mapping.unmap();
      mapping.map();
    }
  }

  /** The simulated kernel allocates; this one answers for it. */
  private static final class QuickKernel implements Kernel {
    private final Kernel kernel;
    boolean quick;
    long answered;

    QuickKernel(Kernel kernel) {
      this.kernel = kernel;
    }

    @Override
    public int ioctl(int fd, Ioctl command, MemorySegment argument) {
      if (quick
          && (command.equals(Vfio.VFIO_IOMMU_MAP_DMA)
              || command.equals(Vfio.VFIO_IOMMU_UNMAP_DMA))) {
        answered++;
        return 0;
      }
      return kernel.ioctl(fd, command, argument);
    }

    @Override
    public Architecture architecture() {
      return kernel.architecture();
    }

    @Override
    public int pageSize() {
      return kernel.pageSize();
    }

    @Override
    public int open(String path, int flags) {
      return kernel.open(path, flags);
    }

    @Override
    public int close(int fd) {
      return kernel.close(fd);
    }

    @Override
    public int ioctl(int fd, Ioctl command, long argument) {
      return kernel.ioctl(fd, command, argument);
    }

    @Override
    public long pread(int fd, MemorySegment target, long offset) {
      return kernel.pread(fd, target, offset);
    }

    @Override
    public long pwrite(int fd, MemorySegment source, long offset) {
      return kernel.pwrite(fd, source, offset);
    }

    @Override
    public long read(int fd, MemorySegment target) {
      return kernel.read(fd, target);
    }

    @Override
    public long write(int fd, MemorySegment source) {
      return kernel.write(fd, source);
    }

    @Override
    public int eventFd(int initial, int flags) {
      return kernel.eventFd(initial, flags);
    }

    @Override
    public int epollCreate() {
      return kernel.epollCreate();
    }

    @Override
    public int epollControl(int epollFd, int operation, int fd, int events) {
      return kernel.epollControl(epollFd, operation, fd, events);
    }

    @Override
    public int epollWait(int epollFd, int[] ready, int timeoutMillis) {
      return kernel.epollWait(epollFd, ready, timeoutMillis);
    }

    @Override
    public int awaitReadable(int fd, int timeoutMillis) {
      return kernel.awaitReadable(fd, timeoutMillis);
    }

    @Override
    public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
      return kernel.mmap(byteSize, protection, flags, fd, offset);
    }

    @Override
    public int munmap(long address, long byteSize) {
      return kernel.munmap(address, byteSize);
    }

    @Override
    public int memoryFile(String name, int flags, long byteSize) {
      return kernel.memoryFile(name, flags, byteSize);
    }

    @Override
    public int mlock(long address, long byteSize) {
      return kernel.mlock(address, byteSize);
    }

    @Override
    public int munlock(long address, long byteSize) {
      return kernel.munlock(address, byteSize);
    }

    @Override
    public MemorySegment memory(long address, long byteSize, Arena lifetime) {
      return kernel.memory(address, byteSize, lifetime);
    }

    @Override
    public Registers registers(long address, long byteSize, RegisterOrder order) {
      return kernel.registers(address, byteSize, order);
    }

    @Override
    public long lockedMemoryLimit() {
      return kernel.lockedMemoryLimit();
    }

    @Override
    public List<String> list(String directory) throws ErrnoException {
      return kernel.list(directory);
    }

    @Override
    public String readLink(String path) throws ErrnoException {
      return kernel.readLink(path);
    }
  }
}
