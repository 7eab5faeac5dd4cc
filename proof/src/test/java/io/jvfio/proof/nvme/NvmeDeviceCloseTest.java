// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.nvme;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.jvfio.DmaMapping;
import io.jvfio.IommuPolicy;
import io.jvfio.PciAddress;
import io.jvfio.Sharing;
import io.jvfio.VfioHost;
import io.jvfio.nvme.NvmeClosedException;
import io.jvfio.nvme.NvmeClosedException.Reason;
import io.jvfio.nvme.NvmeCommand;
import io.jvfio.nvme.NvmeCompletionHandler;
import io.jvfio.nvme.NvmeCompletionMode;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeIoException;
import io.jvfio.nvme.NvmeNamespace;
import io.jvfio.nvme.NvmeOptions;
import io.jvfio.nvme.NvmeQueue;
import io.jvfio.nvme.NvmeStatusException;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A device that is closed before its controller, or while everybody uses it. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NvmeDeviceCloseTest {
  private static final int THREADS = 3;
  private static final int ROUNDS = 300;
  private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(30);

  /** Rounds of each face, of several commands each, after which the JVM has compiled it. */
  private static final int UNTIL_COMPILED = 3_000;

  private static final NvmeCompletionHandler NOTHING = (_, _, _) -> {};

  private static SimulatedHost host() {
    return SimulatedHosts.open("x86-6.12");
  }

  private static NvmeOptions options(NvmeCompletionMode mode) {
    return NvmeOptions.defaults().withCompletionMode(mode).withOnReleaseRequest(() -> {});
  }

  @ParameterizedTest
  @EnumSource
  void theControllerClosesQuietlyAfterItsDevice(NvmeCompletionMode mode) {
    try (var host = host()) {
      var before = host.resources();
      var disk = Disk.open(host, options(mode));
      disk.controller().onEvent(_ -> {});
      var queue = disk.controller().openQueue();
      var own = disk.controller().openQueue();

      disk.device().close();

      for (int i = 0; i < 2; i++) {
        own.close();
        disk.controller().close();
        queue.close();
      }
      assertThat(host.resources()).isEqualTo(before);
      assertThat(host.faults()).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource
  void theControllerOfADeviceThatSharesItsMemoryGivesBackItsOwn(NvmeCompletionMode mode) {
    try (var host = host()) {
      var vfio = VfioHost.of(host.name(), host.kernel());
      var address = PciAddress.parse(address(vfio));
      int group = vfio.device(address).group().getAsInt();
      var before = host.resources();
      try (var groups =
          vfio.openGroups(List.of(group), IommuPolicy.automatic(), Sharing.WHERE_POSSIBLE)) {
        var opened = host.resources();
        var device = groups.device(address);
        var controller = NvmeController.open(device, options(mode));
        var queue = controller.openQueue();

        device.close();

        var end = catchThrowable(() -> pollUntilClosed(queue));
        assertThat(closed(end).reason()).isEqualTo(Reason.DEVICE_CLOSED);
        queue.close();
        controller.close();
        // The space is there still, and nothing of the controller's is in it.
        assertThat(host.resources()).isEqualTo(opened);
      }
      assertThat(host.resources()).isEqualTo(before);
      assertThat(host.faults()).isEmpty();
    }
  }

  private static String address(VfioHost vfio) {
    return vfio.devices().stream()
        .filter(one -> one.isBoundToVfio())
        .findFirst()
        .orElseThrow()
        .address()
        .toString();
  }

  /** Nothing is in flight, so only a look at the device now and then can tell. */
  private static void pollUntilClosed(NvmeQueue queue) {
    while (true) {
      queue.poll(NOTHING);
    }
  }

  @ParameterizedTest
  @EnumSource
  void everythingTellsThatTheDeviceWasClosed(NvmeCompletionMode mode) throws Exception {
    try (var host = host()) {
      var disk = Disk.open(host, options(mode));
      var uses = uses(disk);

      disk.device().close();

      assertAllTell(uses, Reason.DEVICE_CLOSED, "its device was closed before the controller");
      disk.controller().close();
      assertAllTell(uses, Reason.DEVICE_CLOSED, "its device was closed before the controller");
    }
  }

  @Test
  void everythingTellsWhoHasClosedTheController() throws Exception {
    try (var host = host()) {
      var disk = Disk.open(host, NvmeOptions.defaults());
      var uses = uses(disk);

      var closer = Thread.ofPlatform().name("the closer").start(disk.controller()::close);
      closer.join();

      assertAllTell(
          uses, Reason.CONTROLLER_CLOSED, "thread 'the closer' has closed the controller");
      disk.device().close();
      assertAllTell(
          uses, Reason.CONTROLLER_CLOSED, "thread 'the closer' has closed the controller");
    }
  }

  @Test
  void aQueueTellsWhoHasClosedIt() throws Exception {
    try (var disk = Disk.open(host(), NvmeOptions.defaults())) {
      var queue = disk.controller().openQueue();

      Thread.ofPlatform().name("its owner").start(queue::close).join();

      var end = catchThrowable(() -> queue.flush(disk.namespace(), 0));
      assertThat(end)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage(
              "queue %d of %s is closed: thread 'its owner' has closed it",
              queue.id(), disk.address());
      assertThat(closed(end).reason()).isEqualTo(Reason.QUEUE_CLOSED);
    }
  }

  /** All that can be done with an open disk, by its name. */
  private static Map<String, ThrowingCallable> uses(Disk disk) throws Exception {
    NvmeController controller = disk.controller();
    NvmeNamespace namespace = disk.namespace();
    DmaMapping buffer = disk.device().dmaSpace().allocate(4096);
    var command = NvmeCommand.of(0, 0, 0);
    var queue = controller.openQueue();
    var channel = namespace.openChannel(READ, WRITE);
    var asynchronous = namespace.openAsynchronousChannel(READ, WRITE);
    Map<String, ThrowingCallable> uses = new LinkedHashMap<>();
    uses.put("queue.read", () -> queue.read(namespace, 0, 1, buffer, 0, 0));
    uses.put("queue.write", () -> queue.write(namespace, 0, 1, buffer, 0, 0));
    uses.put("queue.flush", () -> queue.flush(namespace, 0));
    uses.put("queue.command", () -> queue.command(command, 1, null, 0));
    uses.put("queue.command of data", () -> queue.command(command, 1, buffer, 0));
    uses.put("queue.poll", () -> queue.poll(NOTHING));
    uses.put("queue.await", () -> queue.await(NOTHING, Long.MAX_VALUE));
    uses.put("namespace.read", () -> namespace.read(0, 1, buffer, 0));
    uses.put("namespace.write", () -> namespace.write(0, 1, buffer, 0));
    uses.put("namespace.flush", namespace::flush);
    uses.put("namespace.openChannel", () -> namespace.openChannel(READ));
    uses.put("namespace.openAsynchronousChannel", () -> namespace.openAsynchronousChannel(READ));
    uses.put("controller.openQueue", controller::openQueue);
    uses.put("controller.identify", controller::identify);
    uses.put("controller.namespaces", controller::namespaces);
    uses.put("controller.namespace", () -> controller.namespace(1));
    uses.put("controller.smart", controller::smart);
    uses.put("controller.errors", controller::errors);
    uses.put("controller.features", () -> controller.features().powerState());
    uses.put("controller.pollEvents", controller::pollEvents);
    uses.put("controller.onEvent", () -> controller.onEvent(_ -> {}));
    uses.put("channel.read", () -> channel.read(ByteBuffer.allocate(10), 0));
    uses.put("channel.write", () -> channel.write(ByteBuffer.allocate(10), 0));
    uses.put("channel.force", () -> channel.force(true));
    uses.put("asynchronous.read", () -> asynchronous.read(ByteBuffer.allocate(10), 0).get());
    uses.put("asynchronous.write", () -> asynchronous.write(ByteBuffer.allocate(10), 0).get());
    uses.put("asynchronous.force", () -> asynchronous.force(true));
    return uses;
  }

  private static void assertAllTell(
      Map<String, ThrowingCallable> uses, Reason reason, String message) {
    uses.forEach(
        (name, use) -> {
          var end = catchThrowable(use);
          assertThat(end).as(name).isNotNull();
          assertThat(closed(end).reason()).as(name).isEqualTo(reason);
          assertThat(end).as(name).hasMessageContaining(message);
        });
  }

  /** What a use of any face has ended by, once all is closed. */
  private static NvmeClosedException closed(Throwable end) {
    var cause = end;
    while (cause instanceof ExecutionException
        || cause instanceof NvmeIoException
        || cause instanceof NvmeStatusException) {
      cause = requireNonNull(cause.getCause(), () -> "no cause: " + end);
    }
    assertThat(cause).isInstanceOf(NvmeClosedException.class);
    return (NvmeClosedException) cause;
  }

  @ParameterizedTest
  @EnumSource
  void whatIsUnderWayEndsByTheDeviceBeingClosed(Face face) throws Exception {
    for (var mode : NvmeCompletionMode.values()) {
      try (var host = host();
          var pool = Executors.newFixedThreadPool(THREADS)) {
        var before = host.resources();
        var disk = Disk.open(host, options(mode));
        List<CountDownLatch> working = new ArrayList<>();
        List<Future<Throwable>> ends = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
          var works = new CountDownLatch(5);
          working.add(works);
          ends.add(pool.submit(() -> catchThrowable(() -> face.work(disk, works))));
        }
        for (var works : working) {
          works.await();
        }

        disk.device().close();

        for (var end : ends) {
          assertThat(closed(end.get()).reason()).isEqualTo(Reason.DEVICE_CLOSED);
          assertThat(end.get().getSuppressed()).isEmpty();
        }
        disk.controller().close();
        assertThat(host.resources()).isEqualTo(before);
        assertNoWildAccess(host, face.name());
      }
    }
  }

  /** A device that is closed under its commands is stopped in the middle of them, and no worse. */
  private static void assertNoWildAccess(SimulatedHost host, String what) {
    assertThat(host.faults()).as(what).allMatch(fault -> fault.reason().contains("bus mastering"));
  }

  @Test
  void closesFromAllSidesAtOnce() throws Exception {
    long seed = Long.getLong("jvfio.seed", ThreadLocalRandom.current().nextLong());
    race(new Random(seed), ROUNDS, "-Djvfio.seed=%d".formatted(seed));
  }

  /** Where code is compiled, what was closed is noticed at other places than where it is not. */
  @Test
  void closesFromAllSidesAtOnceInCompiledCode() throws Exception {
    compile();
    long seed = Long.getLong("jvfio.seed", ThreadLocalRandom.current().nextLong());
    race(new Random(seed), ROUNDS, "-Djvfio.seed=%d".formatted(seed));
  }

  private static void compile() throws Exception {
    for (var mode : NvmeCompletionMode.values()) {
      try (var disk = Disk.open(host(), options(mode));
          var pool = Executors.newCachedThreadPool()) {
        List<CountDownLatch> working = new ArrayList<>();
        List<Future<Throwable>> ends = new ArrayList<>();
        for (var face : Face.values()) {
          var works = new CountDownLatch(UNTIL_COMPILED);
          working.add(works);
          ends.add(pool.submit(() -> catchThrowable(() -> face.work(disk, works))));
        }
        for (var works : working) {
          works.await();
        }
        disk.controller().close();
        for (var end : ends) {
          end.get();
        }
      }
    }
  }

  private static void race(Random random, int rounds, String what) throws Exception {
    long start = System.nanoTime();
    try (var host = host();
        var pool = Executors.newCachedThreadPool()) {
      int round = 0;
      while (round < rounds && System.nanoTime() - start < LONGEST_NANOS) {
        raceOnce(host, random, pool, "round %d; %s".formatted(round, what));
        round++;
      }
      assertThat(round).as("rounds in time").isGreaterThan(10);
    }
  }

  private static <T> T any(Random random, T[] values) {
    return values[random.nextInt(values.length)];
  }

  private static void raceOnce(SimulatedHost host, Random random, ExecutorService pool, String what)
      throws Exception {
    var before = host.resources();
    var disk = Disk.open(host, options(any(random, NvmeCompletionMode.values())));
    disk.controller().onEvent(_ -> {});
    List<CountDownLatch> working = new ArrayList<>();
    List<Future<Throwable>> ends = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      var face = any(random, Face.values());
      var works = new CountDownLatch(1);
      working.add(works);
      ends.add(pool.submit(() -> catchThrowable(() -> face.work(disk, works))));
    }
    for (var works : working) {
      works.await(); // with memory of its own
    }
    // The device is closed first, last, or in between.
    List<Runnable> steps =
        List.of(disk.device()::close, disk.controller()::close, disk.controller()::close);
    var barrier = new CyclicBarrier(steps.size());
    List<Future<Throwable>> closes = new ArrayList<>();
    for (var step : steps) {
      int spins = random.nextInt(20_000);
      closes.add(
          pool.submit(
              () -> {
                barrier.await();
                for (int i = 0; i < spins; i++) {
                  Thread.onSpinWait();
                }
                return catchThrowable(step::run);
              }));
    }
    for (var close : closes) {
      assertThat(close.get()).as(what).isNull();
    }
    for (var end : ends) {
      var why = end.get();
      assertThat(why).as(what).isNotNull();
      assertThat(closed(why).reason())
          .as(what)
          .isIn(Reason.DEVICE_CLOSED, Reason.CONTROLLER_CLOSED);
      assertThat(why.getSuppressed()).as(what).isEmpty();
    }
    assertThatCode(disk.controller()::close).as(what).doesNotThrowAnyException();
    assertNoWildAccess(host, what);
    assertThat(host.resources()).as(what).isEqualTo(before);
  }
}
