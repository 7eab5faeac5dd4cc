// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static io.jvfio.proof.core.SpaceOfferTest.answering;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.jvfio.MappableArea;
import io.jvfio.PciAddress;
import io.jvfio.RegionType;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceBindIommufd;
import io.jvfio.linux.uapi.VfioDeviceFeature;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaBuf;
import io.jvfio.linux.uapi.VfioPciHotResetInfo;
import io.jvfio.linux.uapi.VfioRegionDmaRange;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.linux.uapi.VfioRegionInfoCapType;
import io.jvfio.sim.SimulatedHosts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What no simulated kernel answers, because it is newer than all of them, or wrong. */
class AnsweredFeaturesTest {
  private static final PciAddress ADDRESS = PciAddress.parse("0000:00:01.0");

  /** The answer to an ioctl, or null to let the kernel answer. */
  private interface IoctlAnswer {
    @Nullable Integer of(Ioctl command, MemorySegment struct);
  }

  private static Kernel ioctls(Kernel kernel, IoctlAnswer answer) {
    return answering(
        kernel,
        (_, arguments) ->
            arguments != null
                    && arguments.length == 3
                    && arguments[1] instanceof Ioctl command
                    && arguments[2] instanceof MemorySegment struct
                ? answer.of(command, struct)
                : null);
  }

  private static VfioDevice open(Kernel kernel) {
    return VfioHost.of("x", kernel).open(ADDRESS);
  }

  @Test
  void partsOfABarAreGivenAsADmaBuf() {
    try (var host = SimulatedHosts.open("x86-6.12", OpenSpace.unlimited())) {
      var asked = new ArrayList<Long>();
      var kernel =
          ioctls(
              host.kernel(),
              (command, struct) -> {
                if (!command.equals(Vfio.VFIO_DEVICE_FEATURE)
                    || (VfioDeviceFeature.FLAGS.get(struct) & 0xffff) != 11) {
                  return null;
                }
                var data = struct.asSlice(VfioDeviceFeature.BYTES);
                asked.add((long) VfioDeviceFeatureDmaBuf.REGION_INDEX.get(data));
                asked.add((long) VfioDeviceFeatureDmaBuf.NR_RANGES.get(data));
                var last = data.asSlice(VfioDeviceFeatureDmaBuf.BYTES + VfioRegionDmaRange.BYTES);
                asked.add(VfioRegionDmaRange.OFFSET.get(last));
                asked.add(VfioRegionDmaRange.LENGTH.get(last));
                return host.kernel().eventFd(0, 0);
              });
      var before = host.resources();
      try (var device = open(kernel)) {
        var features = device.features();
        var bar = device.region(0);
        try (var buffer =
            features.exportDmaBuf(
                bar, List.of(new MappableArea(0, 4096), new MappableArea(8192, 4096)))) {
          assertThat(asked).containsExactly(0L, 2L, 8192L, 4096L);
          assertThat(buffer.descriptor()).isPositive();
        }
        assertThatIllegalArgumentException()
            .isThrownBy(() -> features.exportDmaBuf(bar, List.of()));
        features.exportDmaBuf(
            bar, List.of(new MappableArea(0, 4096), new MappableArea(8192, 4096)));
      }
      assertThat(host.resources()).as("closed with the device").isEqualTo(before);
    }
  }

  @Test
  void aNewerKernelIsGivenTheTokenWithTheNode() {
    var token = UUID.fromString("bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3");
    try (var host = SimulatedHosts.open("x86-6.12-iommufd", OpenSpace.unlimited())) {
      var given = new ArrayList<UUID>();
      var kernel =
          ioctls(
              host.kernel(),
              (command, struct) -> {
                if (command.equals(Vfio.VFIO_DEVICE_BIND_IOMMUFD)
                    && VfioDeviceBindIommufd.FLAGS.get(struct) == 1) {
                  long pointer = struct.get(ValueLayout.JAVA_LONG, VfioDeviceBindIommufd.BYTES);
                  var bytes = NativeMemory.at(pointer, 16, Arena.global()).asByteBuffer();
                  given.add(new UUID(bytes.getLong(), bytes.getLong()));
                  assertThat(VfioDeviceBindIommufd.ARGSZ.get(struct)).isEqualTo(24);
                  VfioDeviceBindIommufd.ARGSZ.set(struct, (int) VfioDeviceBindIommufd.BYTES);
                  VfioDeviceBindIommufd.FLAGS.set(struct, 0);
                }
                return null;
              });
      try (var _ = VfioHost.of("x", kernel).withVfToken(ADDRESS, token).open(ADDRESS)) {
        assertThat(given).containsExactly(token);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0x80008086, 1, graphics OpRegion",
    "0x80008086, 3, LPC configuration",
    "0x80008086, 9, vendor 0x8086 subtype 9",
    "0x800010de, 1, NVLink 2 memory",
    "0x80001014, 1, NVLink 2 address translation shootdown",
    "1, 1, graphics EDID",
    "2, 2, channel subchannel block",
    "3, 1, 'migration, version 1'",
    "0x80001af4, 7, vendor 0x1af4 subtype 7",
    "77, 5, type 77 subtype 5",
    "1, 0, type 1 subtype 0",
  })
  void aRegionThatIsNotStandardHasAType(String type, int subtype, String label) {
    int number = Long.decode(type).intValue();
    try (var host = SimulatedHosts.open("x86-6.12", OpenSpace.unlimited())) {
      var kernel =
          ioctls(
              host.kernel(),
              (command, struct) -> {
                if (!command.equals(Vfio.VFIO_DEVICE_GET_REGION_INFO)
                    || VfioRegionInfo.INDEX.get(struct) != 8) {
                  return null;
                }
                VfioRegionInfo.FLAGS.set(struct, Vfio.VFIO_REGION_INFO_FLAG_CAPS);
                VfioRegionInfo.SIZE.set(struct, 4096);
                if (struct.byteSize() == VfioRegionInfo.BYTES) {
                  VfioRegionInfo.ARGSZ.set(
                      struct, (int) (VfioRegionInfo.BYTES + VfioRegionInfoCapType.BYTES));
                  return 0;
                }
                VfioRegionInfo.CAP_OFFSET.set(struct, (int) VfioRegionInfo.BYTES);
                var capability = struct.asSlice(VfioRegionInfo.BYTES);
                capability.set(ValueLayout.JAVA_SHORT, 0, (short) Vfio.VFIO_REGION_INFO_CAP_TYPE);
                VfioRegionInfoCapType.TYPE.set(capability, number);
                VfioRegionInfoCapType.SUBTYPE.set(capability, subtype);
                return 0;
              });
      try (var device = open(kernel)) {
        var info = device.region(8).info();
        assertThat(info.type()).contains(new RegionType(number, subtype));
        assertThat(info.type().orElseThrow().label()).isEqualTo(label);
        assertThat(device.region(0).info().type()).isEmpty();
      }
    }
  }

  @Test
  void aBusThatGrowsWhileItIsAskedForIsAskedForAgain() {
    try (var host = SimulatedHosts.open("powernv-6.12", OpenSpace.unlimited())) {
      var count = new AtomicInteger(10);
      var rooms = new ArrayList<Integer>();
      var kernel =
          ioctls(
              host.kernel(),
              (command, struct) -> {
                if (!command.equals(Vfio.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO)) {
                  return null;
                }
                rooms.add(VfioPciHotResetInfo.ARGSZ.get(struct));
                if (rooms.size() == 4) {
                  return null;
                }
                VfioPciHotResetInfo.COUNT.set(struct, count.getAndAdd(5));
                return Errno.ENOSPC.result();
              });
      try (var device = VfioHost.of("x", kernel).open(PciAddress.parse("0000:01:00.0"))) {
        assertThat(device.hotResetScope().devices()).hasSize(1);
        assertThat(rooms).containsExactly(12 + 8 * 8, 12 + 10 * 8, 12 + 15 * 8, 12 + 20 * 8);
      }
    }
  }

  /** Counts that would read beyond the struct, or make it grow without end. */
  @ParameterizedTest
  @ValueSource(ints = {0, 9, 1 << 17, -1, Integer.MIN_VALUE})
  void aSenselessCountOfDevicesIsRefused(int told) {
    try (var host = SimulatedHosts.open("powernv-6.12", OpenSpace.unlimited())) {
      for (int result : new int[] {0, Errno.ENOSPC.result()}) {
        var kernel =
            ioctls(
                host.kernel(),
                (command, struct) -> {
                  if (!command.equals(Vfio.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO)) {
                    return null;
                  }
                  boolean again = VfioPciHotResetInfo.ARGSZ.get(struct) > 12 + 8 * 8;
                  VfioPciHotResetInfo.COUNT.set(struct, told);
                  return again ? Errno.EIO.result() : result;
                });
        try (var device = VfioHost.of("x", kernel).open(PciAddress.parse("0000:01:00.0"))) {
          assertThatExceptionOfType(VfioException.class).isThrownBy(device::hotResetScope);
        }
      }
    }
  }

  @Test
  void aMigrationStateThatNobodyKnowsIsToldAsSuch() {
    try (var host = SimulatedHosts.open("x86-6.12", OpenSpace.unlimited())) {
      var kernel =
          ioctls(
              host.kernel(),
              (command, struct) -> {
                if (!command.equals(Vfio.VFIO_DEVICE_FEATURE)) {
                  return null;
                }
                struct.set(ValueLayout.JAVA_INT, VfioDeviceFeature.BYTES, 99);
                return 0;
              });
      try (var device = open(kernel)) {
        var migration = device.features().migration();
        assertThatExceptionOfType(VfioException.class)
            .isThrownBy(migration::state)
            .withMessageContaining("migration state 99");
      }
    }
  }
}
