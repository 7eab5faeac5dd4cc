// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** A controller that is closed asks its host for nothing, which may have given everything back. */
class NvmeLateRequestsTest {
  private static final long SECOND = 1_000_000_000;

  private static NvmeModel started(StorageWake wake, Runnable request) {
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.inMemory(1 << 20)).withWake(wake);
    var model = NvmeModel.of(options);
    model.connectPoll(request);
    model.connect(
        new DmaPort() {
          @Override
          public void read(long iova, MemorySegment target) {}

          @Override
          public void write(long iova, MemorySegment source) {}
        },
        new InterruptPort() {
          @Override
          public void signal(int vector) {}

          @Override
          public void line(boolean asserted) {}
        });
    return model;
  }

  @Test
  void whatIsDueAfterTheEndIsNotAskedFor() {
    var clock = new HandClock();
    var requests = new AtomicInteger();
    var model = started(clock, requests::incrementAndGet);
    clock.in(SECOND);
    clock.in(3 * SECOND);
    clock.advance(2 * SECOND);
    assertThat(requests).hasValue(1);

    model.close();

    clock.advance(2 * SECOND);
    clock.now();
    assertThat(requests).hasValue(1);
  }

  @Test
  void theEndWaitsForWhoIsAsking() throws InterruptedException {
    var wake = new StorageWake(false);
    var isAsking = new CountDownLatch(1);
    var mayGoOn = new CountDownLatch(1);
    var model =
        started(
            wake,
            () -> {
              isAsking.countDown();
              await(mayGoOn);
            });
    wake.in(1);
    await(isAsking);
    var closing = Thread.ofPlatform().start(model::close);
    while (closing.getState() != Thread.State.BLOCKED
        && closing.getState() != Thread.State.TERMINATED) {
      Thread.onSpinWait();
    }

    assertThat(closing.getState()).as("it has not returned").isEqualTo(Thread.State.BLOCKED);

    mayGoOn.countDown();
    closing.join();
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
