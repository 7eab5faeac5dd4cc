// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.HostCatalog;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.setup.IommuPlatform;
import java.lang.foreign.Arena;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Rules that need groups which no host has, or rights that go away while a group is open. */
class ContainerTest {
  private static final int READ_WRITE = Vfio.VFIO_DMA_MAP_FLAG_READ | Vfio.VFIO_DMA_MAP_FLAG_WRITE;

  private final HostProcess withRights = process(new HostSettings());
  private final HostProcess withoutRights = process(withoutRawIo());

  private static HostSettings withoutRawIo() {
    var settings = new HostSettings();
    settings.capabilities &= ~(1L << HostSettings.CAP_SYS_RAWIO);
    return settings;
  }

  private static HostProcess process(HostSettings settings) {
    return new HostProcess(HostCatalog.HOSTS.getFirst(), settings);
  }

  private static IommuGroup group(int id, boolean noIommu) {
    return group(id, noIommu ? HostDescription.Group.NO_IOMMU : null, List.of());
  }

  /** A group without devices. */
  private static IommuGroup group(
      int id, @Nullable String name, List<HostDescription.Reserved> reserved) {
    return new IommuGroup(new HostDescription.Group(id, name, reserved), null) {
      @Override
      public boolean isViable() {
        return true;
      }

      @Override
      protected void resetDevices() {}
    };
  }

  @Test
  void groupsWithAndWithoutAnIommuDoNotMix() {
    var container = new Container(withRights, List.of());
    assertThat(container.attach(group(1, false))).isZero();
    assertThat(container.attach(group(2, true))).isEqualTo(Errno.EPERM.result());
    assertThat(container.attach(group(3, false))).isZero();
  }

  @Test
  void rawIoIsAskedForAgainAtEveryStep() {
    var group = group(1, true);
    assertThat(new Container(withoutRights, List.of()).attach(group))
        .isEqualTo(Errno.EPERM.result());
    assertThat(new NoIommuDriver(withoutRights).openError(8)).isEqualTo(Errno.EPERM.result());
    assertThat(new NoIommuDriver(withRights).openError(8)).isZero();
  }

  @Test
  void aGroupWithoutTablesIsNoneForSpapr() {
    var iommu = new SpaprIommu(withRights, new SpaprDriver(withRights, List.of()), true);
    assertThat(iommu.attach(group(1, false))).isEqualTo(Errno.ENODEV.result());
  }

  @Test
  void aGroupWhoseReservedRangeIsMappedIsRefused() throws UserFault {
    var platform = new IommuPlatform.Paging("dmar0", 0x1000, -1);
    var iommu =
        new Type1Iommu(withRights, new Type1Driver(withRights, platform), platform, true, false);
    assertThat(iommu.attach(group(1, false))).isZero();
    try (var arena = Arena.ofConfined()) {
      var map = VfioIommuType1DmaMap.STRUCT.allocate(arena);
      VfioIommuType1DmaMap.FLAGS.set(map, READ_WRITE);
      VfioIommuType1DmaMap.IOVA.set(map, 0x10000);
      VfioIommuType1DmaMap.SIZE.set(map, 0x1000);
      VfioIommuType1DmaMap.VADDR.set(map, withRights.memory().mapAnonymous(0x1000, 3));
      assertThat(iommu.ioctl(VfioCommand.IOMMU_MAP_DMA, UserArgument.of(map))).isZero();
    }
    assertThat(iommu.attach(reserving(2, 0, 0x10000, "msi"))).isEqualTo(Errno.EINVAL.result());
    assertThat(iommu.attach(reserving(3, 0, 0x10000, "direct-relaxable"))).isZero();
    assertThat(iommu.attach(reserving(4, 0x11000, 0x1ffff, "reserved"))).isZero();
    iommu.release();
    withRights.close();
  }

  private static IommuGroup reserving(int id, long start, long last, String type) {
    return group(id, null, List.of(new HostDescription.Reserved(start, last, type)));
  }
}
