// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.jvfio.BufferOptions;
import io.jvfio.DmaWindow;
import io.jvfio.EehEndpoint;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.MapOptions;
import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.IommuIoasMapFile;
import io.jvfio.linux.uapi.IommuIoasUnmap;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.sim.SimulatedHosts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What only some IOMMUs and kernels offer: dirty tracking, IOAS options, files, endpoints. */
class SpaceOfferTest {
  private static final long PAGE = 4096;

  @Test
  void type1ReportsEveryMappedPageAsWritten() {
    try (var open = OpenSpace.open("x86-6.12 type1v2");
        var arena = Arena.ofConfined()) {
      var buffer = open.space.allocate(70 * PAGE);
      var bitmap = arena.allocate(16, 8);
      try (var tracking = open.space.trackDirtyPages()) {
        assertThat(tracking.pageSize()).isEqualTo(PAGE);
        tracking.read(buffer, bitmap);
      }
      assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(-1);
      assertThat(bitmap.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(0x3f);
      buffer.close();
    }
  }

  @Test
  void iommufdReportsThePagesThatADeviceWroteAndForgetsThem() {
    var options = OpenSpace.unlimited().withDirtyTracking();
    try (var open = OpenSpace.open("x86-6.12-iommufd iommufd", options, 2);
        var arena = Arena.ofConfined()) {
      var devices = open.devices();
      var buffer = open.space.allocate(128 * PAGE);
      var other = open.space.allocate(PAGE);
      assertThat(devices.getFirst().write(buffer.iova(), 1, 1)).isTrue();
      var bitmap = arena.allocate(16, 8);
      try (var tracking = open.space.trackDirtyPages()) {
        tracking.read(buffer, bitmap);
        assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).as("before tracking").isZero();
        assertThat(devices.getFirst().write(buffer.iova() + 3 * PAGE - 1, 2, 1)).isTrue();
        assertThat(devices.getLast().write(buffer.iova() + 127 * PAGE, 1, 1)).isTrue();
        assertThat(devices.getLast().read(buffer.iova() + 9 * PAGE, 1)).isTrue();
        tracking.read(buffer, bitmap);
        assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0b1100);
        assertThat(bitmap.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(1L << 63);
        tracking.read(buffer, bitmap);
        assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).as("read once").isZero();
        tracking.read(other, bitmap);
        assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).as("another mapping").isZero();
      }
      assertThat(devices.getFirst().write(buffer.iova(), 1, 2)).as("goes on after it").isTrue();
      buffer.close();
      other.close();
    }
  }

  @Test
  void iommufdSaysWhoseHardwareRecordsNothing() {
    try (var open = OpenSpace.open("x86-6.12-iommufd iommufd")) {
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(open.space::trackDirtyPages)
          .withMessageContaining("0000:00:01.0")
          .withMessageContaining("records no dirty pages");
      var buffer = open.space.allocate(PAGE);
      assertThat(open.devices().getFirst().write(buffer.iova(), 1, 1)).isTrue();
      buffer.close();
    }
  }

  @Test
  void anIoasKeepsAddressesAndCombinesPagesUnlessTold() {
    try (var open = OpenSpace.open("x86-6.12-iommufd iommufd")) {
      var ioas = open.space.ioas().orElseThrow();
      assertThat(ioas.combinesPages()).isTrue();
      ioas.combinePages(false);
      assertThat(ioas.combinesPages()).isFalse();
      ioas.keepValid(List.of(new DmaWindow(0x10_0000, 0x1f_ffff, PAGE)));
      assertThatExceptionOfType(VfioException.class)
          .isThrownBy(
              () -> ioas.keepValid(List.of(new DmaWindow(0xfee0_0000L, 0xfee0_0fffL, PAGE))))
          .withMessageContaining("EADDRINUSE")
          .withMessageContaining("already reserves");
    }
    try (var open = OpenSpace.open("x86-6.12-iommufd type1v2")) {
      assertThat(open.space.ioas()).isEmpty();
    }
  }

  @Test
  void anIommufdStandsInWhereThereIsNoContainerNode() {
    try (var host = SimulatedHosts.open("x86-6.12-iommufd", OpenSpace.unlimited())) {
      var before = host.resources();
      var opened = new ArrayList<String>();
      var kernel =
          answering(
              host.kernel(),
              (method, arguments) -> {
                if (!method.equals("open") || !(arguments[0] instanceof String path)) {
                  return null;
                }
                opened.add(path);
                return path.equals("/dev/vfio/vfio") ? Errno.ENOENT.result() : null;
              });
      var type = IommuPolicy.require(IommuType.TYPE1V2);
      try (var device = VfioHost.of("x", kernel).open(PciAddress.parse("0000:00:01.0"), type);
          var buffer = device.dmaSpace().map(Arena.ofAuto().allocate(PAGE, PAGE))) {
        assertThat(device.dmaSpace().type()).isEqualTo(IommuType.TYPE1V2);
        assertThat(host.resources().dmaMappedBytes()).isEqualTo(buffer.byteSize());
        assertThat(opened).contains("/dev/iommu");
      }
      assertThat(host.resources()).isEqualTo(before);
    }
  }

  /** No simulated host is as new as Linux 6.14, so the two calls are answered here. */
  @Test
  void sharedMemoryIsMappedAsAFileWhereTheKernelCan() {
    try (var host = SimulatedHosts.open("x86-6.12-iommufd", OpenSpace.unlimited())) {
      var files = new ArrayList<Long>();
      var kernel =
          answering(
              host.kernel(),
              (_, arguments) -> {
                if (arguments == null
                    || arguments.length != 3
                    || !(arguments[1] instanceof Ioctl command)
                    || !(arguments[2] instanceof MemorySegment struct)) {
                  return null;
                }
                if (command.equals(Iommufd.IOMMU_IOAS_MAP_FILE)) {
                  files.add(IommuIoasMapFile.IOVA.get(struct));
                  return 0;
                }
                boolean ours =
                    command.equals(Iommufd.IOMMU_IOAS_UNMAP)
                        && files.remove(IommuIoasUnmap.IOVA.get(struct));
                return ours ? 0 : null;
              });
      try (var device = VfioHost.of("x", kernel).open(PciAddress.parse("0000:00:01.0"))) {
        var options = BufferOptions.anonymous().asFile().mapped(MapOptions.at(0x4000_0000));
        try (var buffer = device.dmaSpace().allocate(PAGE, options)) {
          assertThat(files).containsExactly(0x4000_0000L);
          buffer.unmap();
          assertThat(files).isEmpty();
          buffer.map();
          assertThat(files).containsExactly(0x4000_0000L);
        }
        assertThat(files).isEmpty();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"powernv-6.12", "powernv-5.10"})
  void anEndpointIsResetAndWorksAgain(String name) {
    try (var host = SimulatedHosts.open(name, OpenSpace.unlimited())) {
      var vfio = VfioHost.of(name, host.kernel());
      var address =
          vfio.devices().stream()
              .filter(device -> device.isBoundToVfio())
              .findFirst()
              .orElseThrow();
      try (var device = vfio.open(address.address())) {
        var endpoint = device.eeh().orElseThrow();
        assertThat(endpoint.state()).isEqualTo(EehEndpoint.State.NORMAL);
        endpoint.enable();
        endpoint.assertReset(EehEndpoint.Reset.HOT);
        assertThat(endpoint.state()).isNotEqualTo(EehEndpoint.State.NORMAL);
        endpoint.deassertReset();
        endpoint.configure();
        assertThat(endpoint.state()).isEqualTo(EehEndpoint.State.NORMAL);
      }
    }
  }

  @Test
  void aGuestOnPowerIsToldThatNothingWatchesTheDevice() {
    try (var host = SimulatedHosts.open("x86-6.12")) {
      try (var device = VfioHost.of("x", host.kernel()).open(PciAddress.parse("0000:00:01.0"))) {
        assertThat(device.eeh()).isEmpty();
      }
    }
    try (var host = SimulatedHosts.open("pseries-6.12", OpenSpace.unlimited());
        var device = VfioHost.of("p", host.kernel()).open(PciAddress.parse("0000:00:00.0"))) {
      device
          .eeh()
          .ifPresent(
              endpoint ->
                  assertThatExceptionOfType(VfioException.class)
                      .isThrownBy(endpoint::state)
                      .withMessageContaining("ENODEV")
                      .withMessageContaining("EEH does not watch it"));
    }
  }

  interface Answer {
    /** The result of a call, or null to let the kernel answer. */
    @Nullable Object of(String method, Object[] arguments);
  }

  static Kernel answering(Kernel kernel, Answer answer) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (_, method, arguments) -> {
              var answered = answer.of(method.getName(), arguments);
              if (answered != null) {
                return answered;
              }
              try {
                return method.invoke(kernel, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}
