// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HostDeviceTest {
  private static final int ENDPOINT = 0x010802;
  private static final int BRIDGE = 0x060400;

  @ParameterizedTest
  @CsvSource({
    "0x010802, nvme, true",
    "0x010802, , false",
    "0x010802, vfio-pci, false",
    "0x010802, mlx5_vfio_pci, false",
    "0x010802, pci-stub, false",
    "0x060400, pcieport, false",
    "0x060400, shpchp, false",
    "0x060400, , false",
    "0x060100, lpc_ich, true",
  })
  void blocksItsGroupOnlyWhereAHostDriverCouldStartDma(
      String classCode, @Nullable String driver, boolean blocks) {
    var device = device("0000:01:00.0", Integer.decode(classCode), driver);
    assertThat(device.blocksGroup()).isEqualTo(blocks);
    var group =
        new IommuGroup(
            7,
            false,
            List.of(
                device("0000:00:1c.0", BRIDGE, "pcieport"),
                device,
                device("0000:01:00.1", ENDPOINT, "vfio-pci")));
    assertThat(group.isViable()).isEqualTo(!blocks);
    assertThat(group.blockers()).isEqualTo(blocks ? List.of(device) : List.of());
    assertThat(group.isBoundToVfio()).isTrue();
  }

  private static HostDevice device(String address, int classCode, @Nullable String driver) {
    return new HostDevice(
        PciAddress.parse(address),
        classCode,
        0x1b36,
        0x0010,
        Optional.ofNullable(driver),
        OptionalInt.of(7));
  }
}
