// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.HostDevice;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.SimulatedHosts;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Every call that opening, using and closing a device makes, made to fail, one at a time, with each
 * errno that Linux could give there.
 */
class OpenPathFaultTest {
  private static final List<Errno> PLAUSIBLE =
      List.of(
          Errno.EPERM,
          Errno.ENOENT,
          Errno.EIO,
          Errno.ENXIO,
          Errno.EAGAIN,
          Errno.ENOMEM,
          Errno.EACCES,
          Errno.EFAULT,
          Errno.EBUSY,
          Errno.ENODEV,
          Errno.EINVAL,
          Errno.EMFILE,
          Errno.ENOTTY,
          Errno.ENOSPC);

  /** Calls that only look, whose failure may leave an explanation poorer and nothing else. */
  private static final Set<String> LOOKS = Set.of("readLink", "list", "open", "pread", "close");

  private static final List<Errno> PLAUSIBLE_FOR_LOOKS =
      List.of(Errno.ENOENT, Errno.EACCES, Errno.EIO, Errno.EMFILE);

  @ParameterizedTest
  @CsvSource({
    "x86-6.12, type1v2",
    "x86-6.12, type1",
    "x86-noiommu, noiommu",
    "pseries-5.10, spapr-tce",
    "pseries-6.8, spapr-tce",
    "pseries-6.12, spapr-tce",
    "pseries-6.12, spapr-tce-v2",
    "powernv-5.10, spapr-tce-v2",
    "powernv-6.12, spapr-tce-v2",
  })
  void leavesNothingBehindWhateverCallFails(String name, String type) {
    var policy = IommuPolicy.prefer(List.of(IommuType.of(type)));
    var calls = run(name, policy, -1, Errno.EIO).calls();
    assertThat(calls).hasSizeGreaterThan(40);
    for (var call : calls) {
      for (var errno : LOOKS.contains(call.operation()) ? PLAUSIBLE_FOR_LOOKS : PLAUSIBLE) {
        run(name, policy, call.index(), errno);
      }
    }
  }

  /** Opens a device, maps memory and registers, reads, and closes all of it again. */
  private static FaultInjector run(String name, IommuPolicy policy, int failing, Errno errno) {
    try (var simulated = SimulatedHosts.open(name)) {
      var injector = new FaultInjector(simulated.kernel());
      var before = simulated.resources();
      if (failing >= 0) {
        injector.failCall(failing, errno);
      }
      List<VfioException> failures = new ArrayList<>();
      try {
        use(VfioHost.of(name, injector), policy);
      } catch (VfioException e) {
        failures.add(e);
      }
      var injected = injector.calls().stream().filter(call -> call.injected() != null).findFirst();
      var what = name + ", call " + failing + " " + injected + " " + errno;
      assertThat(simulated.resources()).as(what).isEqualTo(before);
      assertThat(simulated.faults()).as(what).isEmpty();
      if (failing < 0) {
        assertThat(failures).isEmpty();
      }
      for (var failure : failures) {
        assertThat(failure.getMessage()).as(what).contains(failure.operation()).endsWith(".");
        assertThat(failure.meaning()).as(what).isNotBlank();
        if (!LOOKS.contains(injected.orElseThrow().operation())) {
          assertThat(failure.getMessage())
              .as(what)
              .contains(injected.orElseThrow().operation(), errno.symbol());
        }
      }
      return injector;
    }
  }

  private static void use(VfioHost host, IommuPolicy policy) {
    try (var device = host.open(controller(host), policy);
        var buffer = device.dmaSpace().allocate(100_000);
        var registers = device.region(0).registers()) {
      device.enableBusMaster();
      assertThat(buffer.iova()).isNotZero();
      assertThat(registers.read32(8)).isNotZero();
    }
  }

  @Test
  void survivesTheLossOfAnyCloseAndReportsIt() {
    for (var operation : List.of("close", "munmap")) {
      try (var simulated = SimulatedHosts.open("pseries-6.12")) {
        var injector = new FaultInjector(simulated.kernel());
        var host = VfioHost.of("sim:pseries-6.12", injector);
        var address = controller(host);
        var device = host.open(address);
        injector.failEvery(operation, Errno.EIO);
        var registers = device.region(0).registers();
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(device::close)
            .withMessageContaining(operation);
        device.close();
        registers.close();
        assertThat(simulated.resources().openDevices()).isZero();
        assertThat(simulated.resources().attachedGroups()).isZero();
        assertThat(simulated.resources().openFiles()).isZero();
      }
    }
  }

  /** While a device is being unbound, its lock is held, and the reset says so. */
  @Test
  void aDeviceThatIsBeingTakenAwayIsClosedWithoutAReset() {
    try (var simulated = SimulatedHosts.open("x86-6.12")) {
      var before = simulated.resources();
      var injector = new FaultInjector(simulated.kernel());
      var host = VfioHost.of("sim:x86-6.12", injector);
      var device = host.open(controller(host));
      injector.failEvery("VFIO_DEVICE_RESET", Errno.EAGAIN);
      device.close();
      assertThat(injector.calls()).anyMatch(call -> Errno.EAGAIN.equals(call.injected()));
      assertThat(simulated.resources()).isEqualTo(before);
    }
  }

  /** With the last descriptor of a device that is being unbound, the IOMMU goes. */
  @Test
  void memoryIsUnmappedBeforeTheDeviceIsClosed() {
    try (var simulated = SimulatedHosts.open("x86-6.12")) {
      var injector = new FaultInjector(simulated.kernel());
      var host = VfioHost.of("sim:x86-6.12", injector);
      var device = host.open(controller(host));
      device.dmaSpace().allocate(100_000);
      int begin = injector.calls().size();
      device.close();
      assertThat(injector.calls().stream().skip(begin).map(FaultInjector.Call::operation))
          .filteredOn(Set.of("VFIO_IOMMU_UNMAP_DMA", "close")::contains)
          .containsExactly("VFIO_IOMMU_UNMAP_DMA", "close", "close", "close");
    }
  }

  @Test
  void keepsMemoryThatTheDeviceMightStillReachUntilTheGroupIsDetached() {
    try (var simulated = SimulatedHosts.open("x86-6.12")) {
      var before = simulated.resources();
      var injector = new FaultInjector(simulated.kernel());
      var host = VfioHost.of("sim:x86-6.12", injector);
      var device = host.open(controller(host));
      var buffer = device.dmaSpace().allocate(1 << 20);
      injector.failEvery("VFIO_IOMMU_UNMAP_DMA", Errno.EIO);
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(buffer::close)
          .withMessageContaining("VFIO_IOMMU_UNMAP_DMA");
      assertThat(simulated.resources().anonymousMappings())
          .as("memory that is still mapped for the device is not freed")
          .isEqualTo(before.anonymousMappings() + 1);
      assertThat(buffer.segment().scope().isAlive()).isFalse();
      buffer.close();
      device.close();
      assertThat(simulated.resources()).isEqualTo(before);
    }
  }

  private static PciAddress controller(VfioHost host) {
    return host.devices().stream()
        .filter(HostDevice::isBoundToVfio)
        .map(HostDevice::address)
        .findFirst()
        .orElseThrow(
            () ->
                new VfioException(
                    "list", "devices", null, "No device is bound to a VFIO driver.", ""));
  }
}
