package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.DmaBuffer;
import io.jvfio.model.NvmeModel;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

class AllocationTest {
  private static final int WARM_UP = 20_000;
  private static final int MEASURED = 5_000;

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

      long before = threads.getCurrentThreadAllocatedBytes();
      transfer(namespace, buffer, MEASURED);
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;

      // Not one object per transfer; the measurement itself may cost a few.
      assertThat(allocated).isLessThan(MEASURED);
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
