// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.nvme;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.jvfio.VfioException;
import io.jvfio.model.nvme.NvmeFailure;
import io.jvfio.model.nvme.NvmeFault;
import io.jvfio.model.nvme.NvmeFaults;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.nvme.NvmeCompletionMode;
import io.jvfio.nvme.NvmeIoException;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.nvme.NvmeStatusException;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Controllers that fail, lie, and write where they should not, by every face of the driver. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NvmeFaultTest {
  private static final String HOST = "x86-6.12";
  private static final long DISK_BYTES = 64 << 20;
  private static final int THREADS = 3;
  private static final int STATUSES = 1 << 11;
  private static final int ABORTED_BY_HOST = 0x371;

  /** Where nothing is mapped. */
  private static final long STRAY_IOVA = 0x7777_0000_0000L;

  private static final NvmeOptions IMPATIENT =
      NvmeOptions.defaults().withCommandTimeout(Duration.ofMillis(200));

  private final NvmeFaults faults = new NvmeFaults();
  private final SimulatedHost host =
      SimulatedHosts.open(HOST, HostOptions.defaults().withModels(_ -> model()));

  private NvmeModel model() {
    return NvmeModel.of(
        NvmeModelOptions.of("disk", NvmeNamespaceOptions.inMemory(DISK_BYTES)).withFaults(faults));
  }

  /** A way in which a controller goes wrong, after which a reset brings it back. */
  enum Wrong {
    STANDS_STILL {
      @Override
      void happen(NvmeFaults faults) {
        faults.become(NvmeFailure.HUNG);
      }
    },
    FAILS {
      @Override
      void happen(NvmeFaults faults) {
        faults.become(NvmeFailure.FATAL);
      }
    },
    LOSES_A_COMMAND {
      @Override
      void happen(NvmeFaults faults) {
        faults.inject(NvmeFault.loss().onIo().times(1));
      }
    };

    abstract void happen(NvmeFaults faults);
  }

  /** Each face with each fault, polled and by interrupt. */
  private static Stream<Arguments> wrongs() {
    return Stream.of(Wrong.values())
        .flatMap(
            wrong ->
                Stream.of(Face.values())
                    .flatMap(
                        face ->
                            Stream.of(NvmeCompletionMode.values())
                                .map(mode -> Arguments.of(wrong, face, mode))));
  }

  private static List<Future<Throwable>> start(
      Face face, Disk disk, CountDownLatch working, ExecutorService pool) {
    List<Future<Throwable>> ends = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      ends.add(pool.submit(() -> catchThrowable(() -> face.work(disk, working))));
    }
    return ends;
  }

  private static Throwable unwrap(Throwable end) {
    return end instanceof ExecutionException ? requireNonNull(end.getCause()) : end;
  }

  @ParameterizedTest
  @MethodSource("wrongs")
  void ioFailsAndTheControllerGoesOn(Wrong wrong, Face face, NvmeCompletionMode mode)
      throws Exception {
    try (host) {
      var before = host.resources();
      var disk = Disk.open(host, IMPATIENT.withCompletionMode(mode));
      try (var pool = Executors.newFixedThreadPool(THREADS)) {
        var working = new CountDownLatch(THREADS * 3);
        var ends = start(face, disk, working, pool);
        working.await();
        wrong.happen(faults);
        // At least the thread that had the bad luck hears of it, as of a failed controller.
        var first = firstEnd(ends);
        assertThat(unwrap(first))
            .isInstanceOfAny(VfioException.class, NvmeIoException.class, NvmeStatusException.class);
        assertThat(first.getMessage()).isNotBlank();
        faults.clear();
        // New work succeeds.
        try (var channel = disk.namespace().openChannel(READ, WRITE)) {
          assertThat(channel.write(ByteBuffer.allocate(5000))).isEqualTo(5000);
        }
        // The others may not have noticed; what they do ends with the controller.
        disk.controller().close();
        for (var end : ends) {
          assertThat(end.get()).isNotNull();
        }
      }
      disk.closeDevice();
      assertThat(host.faults()).isEmpty();
      assertThat(host.resources()).isEqualTo(before);
    }
  }

  private static Throwable firstEnd(List<Future<Throwable>> ends) throws Exception {
    while (true) {
      for (var end : ends) {
        if (end.isDone()) {
          return end.get();
        }
      }
      Thread.sleep(1);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aControllerThatIsOffTheBusFailsForGood(Face face) throws Exception {
    try (host) {
      var before = host.resources();
      var disk = Disk.open(host, IMPATIENT);
      try (var pool = Executors.newFixedThreadPool(THREADS)) {
        var working = new CountDownLatch(THREADS);
        var ends = start(face, disk, working, pool);
        working.await();
        faults.become(NvmeFailure.GONE);
        for (var end : ends) {
          assertThat(unwrap(end.get()))
              .isInstanceOfAny(
                  VfioException.class, NvmeIoException.class, NvmeStatusException.class);
        }
      }
      assertThatThrownBy(disk.namespace()::flush)
          .isInstanceOf(VfioException.class)
          .hasMessageContaining(disk.address());
      var _ = catchThrowable(disk::closeDevice); // it may say that the device did not listen
      assertThat(host.resources()).isEqualTo(before);
      faults.become(NvmeFailure.NONE);
      var again = Disk.open(host, IMPATIENT);
      again.namespace().flush();
      again.closeDevice();
      assertThat(host.resources()).isEqualTo(before);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"BLOCKING", "CHANNEL", "ASYNCHRONOUS_CHANNEL"})
  void everyStatusIsToldAndTheControllerGoesOn(Face face) throws Exception {
    try (host;
        var disk = Disk.open(host, NvmeOptions.defaults().withRetries(0));
        var buffer = disk.device().dmaSpace().allocate(4096);
        var channel = disk.namespace().openChannel(READ, WRITE);
        var asynchronous = disk.namespace().openAsynchronousChannel(READ, WRITE)) {
      for (int status = 1; status < STATUSES; status++) {
        if (status == ABORTED_BY_HOST) {
          continue; // the driver's own: see ChannelWorker and SharedQueue
        }
        faults.inject(NvmeFault.status(status).onIo());
        var failure =
            catchThrowable(
                () -> {
                  switch (face) {
                    case CHANNEL -> channel.read(ByteBuffer.allocate(100), 0);
                    case ASYNCHRONOUS_CHANNEL -> asynchronous.read(ByteBuffer.allocate(9), 0).get();
                    default -> disk.namespace().read(0, 1, buffer, 0);
                  }
                });
        faults.clear();
        var cause = unwrap(failure);
        var told = cause instanceof NvmeIoException ? cause.getCause() : cause;
        assertThat(told)
            .isInstanceOfSatisfying(
                NvmeStatusException.class,
                e -> {
                  assertThat(e.getMessage()).contains("Read", e.statusName(), disk.address());
                  assertThat(e.statusName()).isNotBlank();
                });
        var exception = (NvmeStatusException) requireNonNull(told);
        assertThat(exception.statusType() << 8 | exception.statusCode()).isEqualTo(status);
        disk.namespace().read(0, 1, buffer, 0);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"BLOCKING", "CHANNEL", "ASYNCHRONOUS_CHANNEL"})
  void aStrayWriteIsStoppedAndShown(Face face) throws Exception {
    try (host;
        var disk = Disk.open(host, IMPATIENT);
        var buffer = disk.device().dmaSpace().allocate(1 << 20);
        var pool = Executors.newFixedThreadPool(THREADS)) {
      buffer.segment().fill((byte) 0x11);
      var working = new CountDownLatch(THREADS * 10);
      faults.inject(NvmeFault.strayWrite(STRAY_IOVA, 64).onIo().times(2));
      faults.inject(NvmeFault.strayWrite(buffer.iova() + buffer.byteSize(), 16).onAdmin().times(1));
      var ends = start(face, disk, working, pool);
      working.await();
      disk.controller().smart();
      disk.controller().close();
      for (var end : ends) {
        assertThat(end.get()).isNotNull();
      }
      assertThat(host.faults())
          .filteredOn(fault -> fault.iova() == STRAY_IOVA)
          .hasSize(2)
          .allSatisfy(
              fault -> {
                assertThat(fault.device()).isEqualTo(disk.address());
                assertThat(fault.write()).isTrue();
                assertThat(fault.reason()).isNotBlank();
              });
      assertThat(buffer.segment().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0x11);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aCompletionOfNothingIsNotTakenForSuccess(boolean isForged) {
    try (host;
        var disk = Disk.open(host, IMPATIENT);
        var queue = disk.controller().openQueue();
        var buffer = disk.device().dmaSpace().allocate(4096)) {
      List<Integer> statuses = new ArrayList<>();
      faults.inject(
          (isForged ? NvmeFault.forgery(0xfff0) : NvmeFault.repetition()).onIo().times(1));
      assertThat(queue.write(disk.namespace(), 0, 8, buffer, 0, 1)).isTrue();
      queue.ring();
      queue.poll((_, status, _) -> statuses.add(status));
      assertThat(statuses).containsExactly(0);
      assertThat(queue.read(disk.namespace(), 0, 8, buffer, 0, 2)).isTrue();
      queue.await((_, status, _) -> statuses.add(status), 10_000_000_000L);
      assertThat(statuses).containsExactly(0, 0);
      assertThat(queue.inFlight()).isZero();
      assertThat(host.faults()).isEmpty();
    }
  }

  @Test
  void openingFailsWhereTheControllerDoesNotBecomeReady() {
    try (host) {
      var before = host.resources();
      faults.become(NvmeFailure.GONE);
      assertThatThrownBy(() -> Disk.open(host, IMPATIENT)).isInstanceOf(VfioException.class);
      assertThat(host.resources()).isEqualTo(before);
    }
  }
}
