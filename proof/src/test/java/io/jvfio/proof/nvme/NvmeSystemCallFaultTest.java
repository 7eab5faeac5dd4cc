// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.nvme;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeIoException;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.Resources;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every call that opening, using and closing a controller makes, made to fail, one at a time, with
 * each errno that Linux could give there.
 */
class NvmeSystemCallFaultTest {
  private static final List<Errno> PLAUSIBLE =
      List.of(
          Errno.EPERM,
          Errno.EIO,
          Errno.EAGAIN,
          Errno.ENOMEM,
          Errno.EFAULT,
          Errno.EBUSY,
          Errno.ENODEV,
          Errno.EINVAL,
          Errno.EMFILE,
          Errno.ENOTTY,
          Errno.ENOSPC);

  private static final byte PATTERN = 0x5a;

  /** What a run did. */
  private record Run(FaultInjector calls, int first, List<Exception> failures) {}

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "x86-6.12-iommufd", "pseries-5.10", "pseries-6.12"})
  void leavesNothingBehindWhateverCallFails(String name) {
    var clean = run(name, -1, Errno.EIO);
    assertThat(clean.failures()).isEmpty();
    var calls = clean.calls().calls();
    assertThat(calls.size() - clean.first()).isGreaterThan(10);
    for (int call = clean.first(); call < calls.size(); call++) {
      for (var errno : PLAUSIBLE) {
        run(name, call, errno);
      }
    }
  }

  private static Run run(String name, int failing, Errno errno) {
    try (var simulated = SimulatedHosts.open(name)) {
      var before = simulated.resources();
      var injector = new FaultInjector(simulated.kernel());
      if (failing >= 0) {
        injector.failCall(failing, errno);
      }
      var host = VfioHost.of(name, injector);
      var address =
          host.devices().stream()
              .filter(one -> one.isBoundToVfio())
              .findFirst()
              .orElseThrow()
              .address();
      int first = 0;
      List<Exception> failures = new ArrayList<>();
      try (var device = host.open(address)) {
        first = injector.calls().size();
        drive(device);
      } catch (VfioException | IOException | ExecutionException e) {
        failures.add(e);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      check(simulated, before, new Run(injector, first, failures), failing, errno);
      return new Run(injector, first, failures);
    }
  }

  private static void check(
      SimulatedHost simulated, Resources before, Run run, int failing, Errno errno) {
    var injected = run.calls().calls().stream().filter(call -> call.injected() != null).findFirst();
    var what = simulated.name() + ", call " + failing + " " + injected + " " + errno;
    assertThat(simulated.resources()).as(what).isEqualTo(before);
    assertThat(simulated.faults()).as(what).isEmpty();
    for (var failure : run.failures()) {
      assertThat(failure instanceof ExecutionException ? failure.getCause() : failure)
          .as(what)
          .isInstanceOfAny(VfioException.class, NvmeIoException.class);
      assertThat(failure).as(what).hasStackTraceContaining(errno.symbol());
    }
  }

  /** All faces of the driver; what is read has to be what was written. */
  private static void drive(VfioDevice device)
      throws IOException, InterruptedException, ExecutionException {
    try (var controller = NvmeController.open(device);
        var buffer = device.dmaSpace().allocate(1 << 20)) {
      var namespace = controller.namespace(1);
      buffer.segment().fill(PATTERN);
      namespace.write(0, 2048, buffer, 0);
      buffer.segment().fill((byte) 0);
      namespace.read(1, 2000, buffer, 0);
      assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo(PATTERN);
      var bytes = ByteBuffer.allocate(1000);
      try (var channel = namespace.openChannel(READ, WRITE)) {
        channel.write(ByteBuffer.allocate(3000), 100);
        channel.force(true);
        assertThat(channel.read(bytes)).isEqualTo(1000);
      }
      try (var channel = namespace.openAsynchronousChannel(READ, WRITE)) {
        channel.write(bytes.flip(), 5000).get();
        var back = ByteBuffer.allocate(1000);
        channel.read(back, 5000).get();
        assertThat(back.flip()).isEqualTo(bytes.flip());
      }
    }
  }
}
