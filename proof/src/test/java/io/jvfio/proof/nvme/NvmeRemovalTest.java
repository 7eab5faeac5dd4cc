// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.nvme;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.jvfio.VfioException;
import io.jvfio.nvme.NvmeClosedException;
import io.jvfio.nvme.NvmeIoException;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.nvme.NvmeStatusException;
import io.jvfio.sim.Resources;
import io.jvfio.sim.SimulatedHosts;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A device that goes away while every face of the driver does I/O, from several threads. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NvmeRemovalTest {
  private static final int THREADS = 3;
  private static final NvmeOptions OPTIONS =
      NvmeOptions.defaults().withCommandTimeout(Duration.ofSeconds(2));

  @ParameterizedTest
  @EnumSource
  void ioFailsWhenTheDeviceIsPulledOut(Face face) throws Exception {
    try (var host = SimulatedHosts.open("x86-6.12")) {
      var before = host.resources();
      var disk = Disk.open(host, OPTIONS);
      try (var pool = Executors.newFixedThreadPool(THREADS)) {
        var working = new CountDownLatch(THREADS * 5);
        var ends = start(face, disk, working, pool);
        working.await();
        var removed = host.remove(disk.address());
        for (var end : ends) {
          checkFailure(end.get());
        }
        assertThat(removed).isNotDone();
        // It cannot be told to shut down any more, and the close says so.
        assertThat(catchThrowable(disk::closeDevice)).isInstanceOf(VfioException.class);
        removed.get(10, TimeUnit.SECONDS);
      }
      assertThat(host.faults()).isEmpty();
      assertSame(host.resources(), before);
      // The other controller is not concerned.
      try (var other = Disk.open(SimulatedHosts.open("x86-6.12"), OPTIONS)) {
        other.namespace().flush();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void theDeviceIsGivenBackWhileThereIsIo(Face face) throws Exception {
    try (var host = SimulatedHosts.open("x86-6.12")) {
      var before = host.resources();
      var asked = new CountDownLatch(1);
      var disk = Disk.open(host, OPTIONS.withOnReleaseRequest(asked::countDown));
      try (var pool = Executors.newFixedThreadPool(THREADS)) {
        var working = new CountDownLatch(THREADS * 5);
        var ends = start(face, disk, working, pool);
        working.await();
        var unbound = host.unbind(disk.address());
        assertThat(asked.await(30, TimeUnit.SECONDS)).isTrue();
        assertThat(unbound).isNotDone();
        disk.controller().close();
        disk.device().close(); // the memory of the I/O is still mapped
        for (var end : ends) {
          checkLeaving(end.get());
        }
        unbound.get(10, TimeUnit.SECONDS);
      }
      assertThat(host.faults()).isEmpty();
      assertSame(host.resources(), before);
    }
  }

  /** All but the drivers: a device that is gone has none. */
  private static void assertSame(Resources now, Resources before) {
    assertThat(now).usingRecursiveComparison().ignoringFields("drivers").isEqualTo(before);
  }

  private static List<Future<Throwable>> start(
      Face face, Disk disk, CountDownLatch working, ExecutorService pool) {
    List<Future<Throwable>> ends = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      ends.add(pool.submit(() -> catchThrowable(() -> face.work(disk, working))));
    }
    return ends;
  }

  /** What was under way was ended for the host, which is what its user has to know. */
  private static void checkLeaving(Throwable end) {
    assertThat(end).hasMessageContaining("the device is leaving its driver");
    var cause = end;
    while (!(cause instanceof NvmeClosedException)) {
      cause = requireNonNull(cause.getCause(), () -> "no cause: " + end);
    }
    assertThat(((NvmeClosedException) cause).reason())
        .isEqualTo(NvmeClosedException.Reason.DEVICE_LEAVING);
  }

  private static void checkFailure(Throwable end) {
    var cause = end instanceof ExecutionException ? requireNonNull(end.getCause()) : end;
    assertThat(cause)
        .isInstanceOfAny(
            VfioException.class,
            NvmeStatusException.class,
            NvmeIoException.class,
            // the controller, its queue or its memory was closed by another thread
            IllegalStateException.class);
    assertThat(cause.getMessage()).isNotBlank();
  }
}
