package io.jvfio.sim;

import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.uapi.VfioIommuType1DmaMap;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rules that need groups which no host has, or rights that go away while a group is open. */
class ContainerTest {
  private final Host withRights = host(HostOptions.defaults());
  private final Host withoutRights =
      host(HostOptions.defaults().withoutCapability(Capability.SYS_RAWIO));

  private static Host host(HostOptions options) {
    return new Host(HostCatalog.HOSTS.getFirst(), options);
  }

  private static VfioGroup group(int id, boolean noIommu) {
    return new VfioGroup(new HostDescription.Group(id, null, List.of()), noIommu, null);
  }

  @Test
  void groupsWithAndWithoutAnIommuDoNotMix() {
    var container = new Container(withRights);
    assertThat(container.attach(group(1, false))).isZero();
    assertThat(answer(container.attach(group(2, true)))).isEqualTo("EPERM");
    assertThat(container.attach(group(3, false))).isZero();
  }

  @Test
  void rawIoIsAskedForAgainAtEveryStep() {
    var group = group(1, true);
    assertThat(answer(new Container(withoutRights).attach(group))).isEqualTo("EPERM");
    assertThat(answer(new NoIommuDriver(withoutRights).openError(8))).isEqualTo("EPERM");
    assertThat(new NoIommuDriver(withRights).openError(8)).isZero();
  }

  @Test
  void aGroupWithoutAnyVfioDeviceCannotBeOpened() {
    assertThat(answer(GroupFile.openError(withRights, group(1, false)))).isEqualTo("ENODEV");
  }

  @Test
  void aGroupWithoutTablesIsNoneForSpapr() {
    var iommu = new SpaprIommu(withRights, new SpaprDriver(withRights), true);
    assertThat(answer(iommu.attach(group(1, false)))).isEqualTo("ENODEV");
  }

  @Test
  void aGroupWhoseReservedRangeIsMappedIsRefused() throws UserFault {
    var platform = new IommuPlatform.Paging("dmar0", 0x1000, -1);
    var iommu =
        new Type1Iommu(withRights, new Type1Driver(withRights, platform), platform, true, false);
    assertThat(iommu.attach(group(1, false))).isZero();
    try (var arena = Arena.ofConfined()) {
      var map = VfioIommuType1DmaMap.allocate(arena);
      VfioIommuType1DmaMap.flags(map, Guest.READ_WRITE);
      VfioIommuType1DmaMap.iova(map, 0x10000);
      VfioIommuType1DmaMap.size(map, 0x1000);
      VfioIommuType1DmaMap.vaddr(map, withRights.memory().mapAnonymous(0x1000, 3));
      assertThat(iommu.ioctl(VfioCommand.IOMMU_MAP_DMA, UserArgument.of(map))).isZero();
    }
    assertThat(answer(iommu.attach(reserving(2, 0, 0x10000, "msi")))).isEqualTo("EINVAL");
    assertThat(iommu.attach(reserving(3, 0, 0x10000, "direct-relaxable"))).isZero();
    assertThat(iommu.attach(reserving(4, 0x11000, 0x1ffff, "reserved"))).isZero();
    iommu.release();
    withRights.close();
  }

  private static VfioGroup reserving(int id, long start, long last, String type) {
    var reserved = List.of(new HostDescription.Reserved(start, last, type));
    return new VfioGroup(new HostDescription.Group(id, null, reserved), false, null);
  }
}
