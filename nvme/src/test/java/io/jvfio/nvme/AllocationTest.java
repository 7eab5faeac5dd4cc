// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.DmaBuffer;
import io.jvfio.model.nvme.NvmeModel;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import jdk.jfr.Recording;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class AllocationTest {
  private static final int WARM_UP = 20_000;
  private static final int MEASURED = 1_000;

  private static final String COMMAND = "jvfio.NvmeCommand";

  /** A busy machine takes its time to compile what is measured. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

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
      for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
        long before = threads.getCurrentThreadAllocatedBytes();
        transfer(namespace, buffer, MEASURED);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
    }
  }

  /** What somebody may record meanwhile. */
  enum Recorder {
    /** Nothing, though other tests of this process may have recorded before. */
    OF_NOTHING,
    /** Something else. */
    OF_OTHER_EVENTS,
    /** Commands, all of which are faster than that. */
    OF_SLOW_COMMANDS;

    Recording start() {
      var recording = new Recording();
      switch (this) {
        case OF_NOTHING -> {
          return recording;
        }
        case OF_OTHER_EVENTS -> recording.disable(COMMAND);
        case OF_SLOW_COMMANDS -> recording.enable(COMMAND).withThreshold(Duration.ofHours(1));
      }
      recording.start();
      return recording;
    }
  }

  @ParameterizedTest
  @EnumSource
  void putsAndTakesCommandsWithoutAllocating(Recorder recorder) throws Exception {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var _ = recorder.start();
        var device = new FakeDevice(NvmeModel.inMemory("S", 1 << 20));
        var _ = device.startThread();
        var controller = NvmeController.open(device);
        var queue = controller.openQueue();
        var buffer = device.dmaSpace().allocate(64 << 10)) {
      var namespace = controller.namespace(1);
      var scatter = new NvmeScatter(3);
      long[] completed = new long[1];
      NvmeCompletionHandler handler = (_, status, _) -> completed[0] += status == 0 ? 1 : 0;
      exchange(queue, namespace, buffer, scatter, handler, WARM_UP);

      long least = Long.MAX_VALUE;
      for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
        long before = threads.getCurrentThreadAllocatedBytes();
        exchange(queue, namespace, buffer, scatter, handler, MEASURED);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
      assertThat(completed[0]).isGreaterThanOrEqualTo(4L * (WARM_UP + MEASURED));
    }
  }

  private static void exchange(
      NvmeQueue queue,
      NvmeNamespace namespace,
      DmaBuffer buffer,
      NvmeScatter scatter,
      NvmeCompletionHandler handler,
      int times) {
    for (int i = 0; i < times; i++) {
      scatter.clear().add(buffer, 512, 1024).add(buffer, 4096, 512).add(buffer, 60, 1536);
      queue.write(namespace, i % 64, 64, buffer, 0, i);
      queue.read(namespace, i % 64, 1, buffer, 512, i);
      queue.read(namespace, i % 64, scatter, i);
      queue.flush(namespace, i);
      queue.ring();
      while (queue.inFlight() > 0) {
        queue.await(handler, 1_000_000_000);
      }
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
