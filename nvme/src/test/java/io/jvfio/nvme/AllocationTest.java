package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.DmaBuffer;
import io.jvfio.model.NvmeModel;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

class AllocationTest {
  private static final int WARM_UP = 20_000;
  private static final int MEASURED = 1_000;
  private static final int BATCHES = 100;

  @Test
  void readsWritesAndFlushesWithoutAllocating() throws Exception {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    // The model allocates; on a thread of its own it does not count.
    try (var device = new FakeDevice(NvmeModel.inMemory("S", 1 << 20));
        var _ = device.startThread();
        var controller = NvmeController.open(device);
        var buffer = device.dmaSpace().allocate(32 << 10)) {
      var namespace = controller.namespace(1);
      transfer(namespace, buffer, WARM_UP);

      // The compiler may still change its mind, and what it interprets meanwhile allocates: so the
      // best of several batches counts. One object per transfer would show in every one of them.
      long least = Long.MAX_VALUE;
      for (int batch = 0; batch < BATCHES && least > 0; batch++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        transfer(namespace, buffer, MEASURED);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
    }
  }

  private static void transfer(NvmeNamespace namespace, DmaBuffer buffer, int times) {
    for (int i = 0; i < times; i++) {
      namespace.write(i % 64, 32, buffer, 0);
      namespace.read(i % 64, 1, buffer, 512);
      namespace.flush();
    }
  }
}
