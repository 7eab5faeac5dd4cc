// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.DmaMapping;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.Sharing;
import io.jvfio.VfioHost;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.sim.SimulatedHosts;
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
  private static final class QuickKernel extends ForwardingKernel {
    boolean quick;
    long answered;

    QuickKernel(Kernel kernel) {
      super(kernel);
    }

    @Override
    public int ioctl(int fd, Ioctl command, MemorySegment argument) {
      if (quick
          && (command.equals(Vfio.VFIO_IOMMU_MAP_DMA)
              || command.equals(Vfio.VFIO_IOMMU_UNMAP_DMA))) {
        answered++;
        return 0;
      }
      return super.ioctl(fd, command, argument);
    }
  }
}
