// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.jvfio.model.nvme.NvmeFault;
import io.jvfio.model.nvme.NvmeFaults;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.nvme.NvmeCompletionMode;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Closing while commands are at the controller, from several threads, twice: no DMA after unmap, no
 * leak, no hang.
 */
class NvmeCloseTest {
  private static final long DISK_BYTES = 64 << 20;
  private static final int ROUNDS = 200;
  private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(30);

  private final NvmeFaults faults = new NvmeFaults();

  private NvmeModel model() {
    return NvmeModel.of(
        NvmeModelOptions.of("disk", NvmeNamespaceOptions.inMemory(DISK_BYTES)).withFaults(faults));
  }

  @Test
  @Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void closesWhateverIsUnderWay() throws Exception {
    long seed = Long.getLong("jvfio.seed", ThreadLocalRandom.current().nextLong());
    var random = new Random(seed);
    long start = System.nanoTime();
    try (var host =
        SimulatedHosts.open("x86-6.12", HostOptions.defaults().withModels(_ -> model()))) {
      int round = 0;
      while (round < ROUNDS && System.nanoTime() - start < LONGEST_NANOS) {
        round(host, random, "round %d; -Djvfio.seed=%d".formatted(round, seed));
        round++;
      }
      assertThat(round).as("rounds in time").isGreaterThan(10);
    }
  }

  private void round(SimulatedHost host, Random random, String what) throws Exception {
    var before = host.resources();
    var mode = List.of(NvmeCompletionMode.values()).get(random.nextInt(2));
    var disk = Disk.open(host, NvmeOptions.defaults().withCompletionMode(mode));
    int workers = 1 + random.nextInt(4);
    try (var pool = Executors.newFixedThreadPool(workers + 2)) {
      var working = new CountDownLatch(1);
      List<Future<Throwable>> ends = new ArrayList<>();
      for (int i = 0; i < workers; i++) {
        var face = List.of(Face.values()).get(random.nextInt(Face.values().length));
        ends.add(pool.submit(() -> catchThrowable(() -> face.work(disk, working))));
      }
      working.await();
      // From now on commands stay at the controller, or some of them do.
      if (random.nextInt(4) != 0) {
        faults.inject(NvmeFault.hold().onIo().after(random.nextInt(20)));
        waitFor(random.nextInt(3));
      }
      List<Future<Throwable>> closes = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        closes.add(
            pool.submit(
                () ->
                    catchThrowable(
                        () -> {
                          disk.controller().close();
                          disk.controller().close();
                        })));
      }
      if (random.nextBoolean()) {
        // What is held is carried out at any moment: before, during or after the close.
        faults.release();
      }
      for (var close : closes) {
        assertThat(close.get()).as(what).isNull();
      }
      faults.clear();
      faults.release();
      for (var end : ends) {
        assertThat(end.get()).as(what).isNotNull();
      }
    } finally {
      faults.clear();
    }
    disk.device().close();
    assertThat(host.faults()).as(what).isEmpty();
    assertThat(host.resources()).as(what).isEqualTo(before);
  }

  private static void waitFor(int milliseconds) throws InterruptedException {
    TimeUnit.MILLISECONDS.sleep(milliseconds);
  }
}
