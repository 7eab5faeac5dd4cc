// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.PciAddress;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHosts;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each call of enabling, handling and closing interrupts fails once, with each plausible error. */
@Timeout(600)
class InterruptFaultTest {
  private static final Map<String, List<Errno>> PLAUSIBLE =
      Map.of(
          "VFIO_DEVICE_SET_IRQS",
          List.of(Errno.EINVAL, Errno.ENOSPC, Errno.ENOMEM, Errno.EBUSY, Errno.ENODEV),
          "VFIO_DEVICE_IOEVENTFD",
          List.of(Errno.EINVAL, Errno.ENOSPC, Errno.EEXIST, Errno.ENOTTY),
          "eventfd",
          List.of(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENODEV),
          "epoll_create1",
          List.of(Errno.EMFILE, Errno.ENOMEM),
          "epoll_ctl",
          List.of(Errno.ENOMEM, Errno.ENOSPC),
          "poll",
          List.of(Errno.ENOMEM));

  private static final Duration LONG = Duration.ofMinutes(1);

  /** Counts the calls of the thread that made it, and picks one of them. */
  private static final class Picker {
    private final Thread thread = Thread.currentThread();
    private final int picked;
    private int count;

    Picker(int picked) {
      this.picked = picked;
    }

    boolean picks(FaultInjector.Call call) {
      return Thread.currentThread().equals(thread) && count++ == picked;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "pseries-6.12", "pseries-5.10"})
  void nothingIsLeftWhateverCallFails(String name) throws Exception {
    int calls = run(name, -1, Errno.EIO).calls();
    assertThat(calls).isGreaterThan(55);
    for (int picked = 0; picked < calls; picked++) {
      var failed = run(name, picked, Errno.EIO).failed();
      for (var errno : PLAUSIBLE.getOrDefault(failed, List.of())) {
        run(name, picked, errno);
      }
    }
  }

  /** How many calls this thread made, and which of them failed; empty for none. */
  private record Outcome(int calls, String failed) {}

  private static Outcome run(String name, int picked, Errno errno) throws Exception {
    var address = addressOn(name);
    var options =
        HostOptions.defaults()
            .withLockedMemoryLimit(Kernel.NO_LIMIT)
            .withModels(each -> each.equals(address.toString()) ? new Bell(4) : null);
    try (var simulated = SimulatedHosts.open(name, options)) {
      var injector = new FaultInjector(simulated.kernel());
      var host = VfioHost.of(name, injector);
      var before = simulated.resources();
      @Nullable VfioException failure = null;
      var picker = new Picker(picked);
      try (var device = host.open(address)) {
        device.enableBusMaster();
        injector.failWhen(picker::picks, errno);
        use(device);
      } catch (VfioException e) {
        failure = e;
      }
      var what = "%s, call %d, %s: %s".formatted(name, picked, errno, failure);
      assertThat(simulated.resources()).as(what).isEqualTo(before);
      var injected = injector.calls().stream().filter(call -> call.injected() != null).findFirst();
      if (failure != null) {
        assertThat(failure.getMessage()).as(what).contains(errno.symbol()).endsWith(".");
        assertThat(failure.meaning()).as(what).isNotBlank();
        assertThat(failure.getMessage()).as(what).contains(injected.orElseThrow().operation());
      }
      var failed = injected.map(FaultInjector.Call::operation).orElse("");
      assertThat(failed.isEmpty()).as(what).isEqualTo(picked < 0);
      return new Outcome(picker.count, failed);
    }
  }

  private static PciAddress addressOn(String name) {
    try (var simulated = SimulatedHosts.open(name)) {
      return VfioHost.of(name, simulated.kernel()).devices().stream()
          .filter(io.jvfio.HostDevice::isBoundToVfio)
          .findFirst()
          .orElseThrow()
          .address();
    }
  }

  private static void use(VfioDevice device) throws InterruptedException {
    var interrupts = device.interrupts();
    var counts = new LinkedBlockingQueue<Long>();
    try (var registers = device.region(0).registers()) {
      try (var vectors = interrupts.enableMsix(2)) {
        vectors.vector(0).handle(counts::add);
        registers.write32(Bell.MESSAGE, 0);
        assertThat(counts.poll(1, TimeUnit.MINUTES)).isEqualTo(1);
        vectors.vector(1).trigger();
        assertThat(vectors.vector(1).await(LONG)).isEqualTo(1);
        vectors.grow(4);
        vectors.vector(0).unhandle();
        vectors.vector(vectors.count() - 1).handle(counts::add);
      }
      try (var line = interrupts.enableIntx()) {
        line.mask();
        line.unmask();
        line.resampleDescriptor();
        line.trigger();
        assertThat(line.poll()).isEqualTo(1);
      }
      try (var event = device.region(0).ioEventFd(Bell.SCRATCH, 4, 1)) {
        event.signal();
      }
      interrupts.enableMsi(1);
      interrupts.deviceError().handle(_ -> {});
      interrupts.releaseRequest();
    }
  }
}
