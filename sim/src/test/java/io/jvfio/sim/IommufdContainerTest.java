// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class IommufdContainerTest {
  private static final long PAGE = 4096;
  private static final int V1 = Vfio.VFIO_TYPE1_IOMMU;
  private static final int V2 = Vfio.VFIO_TYPE1v2_IOMMU;

  private final CopyEngine engine = new CopyEngine(PAGE);
  private final IommufdGuest iommufd =
      new IommufdGuest(
          HostOptions.defaults()
              .withModels(address -> address.equals(IommufdGuest.DEVICE) ? engine : null));
  private final Guest guest = iommufd.guest;
  private final int file = iommufd.iommufd;

  @AfterEach
  void close() {
    iommufd.close();
  }

  private int device(int type) {
    int group = guest.group(1);
    assertThat(guest.setContainer(group, file)).isEqualTo("0");
    assertThat(guest.setIommu(file, type)).isEqualTo("0");
    int device = guest.device(group, IommufdGuest.DEVICE);
    assertThat(device).isPositive();
    return device;
  }

  private String check(int extension) {
    return Guest.answer(guest.ioctl(file, Vfio.VFIO_CHECK_EXTENSION, extension));
  }

  @Test
  void withoutAGroupThereIsNoAddressSpace() {
    assertThat(guest.setIommu(file, V2)).isEqualTo("ENODEV");
    assertThat(guest.map(file, 0, guest.memory(PAGE), PAGE)).isEqualTo("ENODEV");
    assertThat(guest.unmap(file, 0, PAGE)).isEqualTo("ENODEV");
    assertThat(check(V2)).isEqualTo("1");
    assertThat(check(4)).isEqualTo("ENODEV");
  }

  @Test
  void onlyType1IsThereAndMayBeSetAgain() {
    device(V2);
    assertThat(guest.setIommu(file, V2)).isEqualTo("0");
    assertThat(guest.setIommu(file, Vfio.VFIO_SPAPR_TCE_IOMMU)).isEqualTo("EINVAL");
    assertThat(guest.setIommu(file, Vfio.VFIO_TYPE1_NESTING_IOMMU)).isEqualTo("EINVAL");
    assertThat(check(Vfio.VFIO_TYPE1_NESTING_IOMMU)).isEqualTo("0");
    assertThat(check(Vfio.VFIO_SPAPR_TCE_v2_IOMMU)).isEqualTo("0");
  }

  @Test
  void infoHasRangesAndNoMigration() {
    device(V2);
    var info = guest.arena.allocate(256, 8);
    VfioIommuType1Info.ARGSZ.set(info, 256);
    assertThat(iommufd.ioctl(file, Vfio.VFIO_IOMMU_GET_INFO, info)).isZero();
    assertThat(VfioIommuType1Info.IOVA_PGSIZES.get(info)).isEqualTo(0x4020_1000L);
    int first = VfioIommuType1Info.CAP_OFFSET.get(info);
    assertThat(info.get(ValueLayout.JAVA_SHORT, first))
        .isEqualTo((short) Vfio.VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
    assertThat(info.get(ValueLayout.JAVA_INT, first + 8)).isEqualTo(-1);
    int second = info.get(ValueLayout.JAVA_INT, first + 4);
    assertThat(info.get(ValueLayout.JAVA_SHORT, second))
        .isEqualTo((short) Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
    assertThat(info.get(ValueLayout.JAVA_INT, second + 4)).isZero();
    assertThat(VfioIommuType1Info.ARGSZ.get(info)).isEqualTo(second + 16 + 2 * 16);
  }

  @Test
  void unmappingNothingIsNoErrorAndUnmappingAPartIs() {
    device(V2);
    assertThat(guest.map(file, 0x10_0000, guest.memory(4 * PAGE), 4 * PAGE)).isEqualTo("0");
    assertThat(guest.unmapped(file, 0x20_0000, PAGE, 0)).isEqualTo("0");
    assertThat(guest.unmapped(file, 0x10_1000, PAGE, 0)).isEqualTo("ENOENT");
    assertThat(guest.unmapped(file, 0, PAGE, 1)).isEqualTo("EINVAL");
    assertThat(guest.unmapped(file, 0, 0, 2)).isEqualTo("4000");
  }

  @Test
  void version1CanUnmapAnyPart() throws Exception {
    device(V1);
    assertThat(guest.map(file, 0x10_0000, guest.memory(8 * PAGE), 8 * PAGE)).isEqualTo("0");
    assertThat(guest.unmapped(file, 0x10_2000, PAGE, 0)).isEqualTo("1000");
    assertThat(iommufd.pinnedKilobytes()).isEqualTo(28);
    assertThat(guest.unmapped(file, 0x10_1000, 2 * PAGE, 0)).isEqualTo("1000");
    assertThat(guest.unmapped(file, 0x10_6000, 16 * PAGE, 0)).isEqualTo("2000");
    assertThat(iommufd.pinnedKilobytes()).isEqualTo(16);
    assertThat(guest.unmapped(file, 0, 0, 2)).isEqualTo("4000");
    assertThat(iommufd.pinnedKilobytes()).isZero();
  }

  @Test
  void dmaGoesThroughIt() {
    int device = device(V2);
    long memory = guest.memory(PAGE);
    guest.map(file, 0x10_0000, memory, PAGE);
    var command = guest.arena.allocate(2);
    command.set(ValueLayout.JAVA_BYTE, 0, (byte) 6);
    long config = (long) Vfio.VFIO_PCI_CONFIG_REGION_INDEX << 40;
    assertThat(guest.kernel.pwrite(device, command, config + 4)).isEqualTo(2);
    engine.buffer.set(ValueLayout.JAVA_LONG, 0, 42);
    engine.write(0, CopyEngine.IOVA, 8, 0x10_0000);
    engine.write(0, CopyEngine.LENGTH, 8, 8);
    engine.write(0, CopyEngine.COMMAND, 8, CopyEngine.WRITE_MEMORY);
    assertThat(guest.view(memory, PAGE).get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
  }

  @Test
  void aDeviceNeedsItsGroupNoMore() {
    int group = guest.group(1);
    guest.setContainer(group, file);
    int device = guest.device(group, IommufdGuest.DEVICE);
    assertThat(device).isPositive();
    guest.close(group);
    int again = guest.group(1);
    assertThat(again).isPositive();
    assertThat(guest.setContainer(again, guest.container())).isEqualTo("EPERM");
    guest.close(device);
    assertThat(guest.setContainer(again, guest.container())).isEqualTo("0");
  }

  @Test
  void aDeviceWithoutAnIommuTakesAnIommufdWithoutAddressSpace() {
    int group = guest.open("/dev/vfio/noiommu-5");
    assertThat(guest.setContainer(group, file)).isEqualTo("0");
    assertThat(guest.setContainer(guest.group(1), file)).isEqualTo("EINVAL");
    assertThat(check(V2)).isEqualTo("0");
    assertThat(guest.setIommu(file, V2)).isEqualTo("EINVAL");
    assertThat(guest.setIommu(file, Vfio.VFIO_NOIOMMU_IOMMU)).isEqualTo("0");
    assertThat(guest.map(file, 0, guest.memory(PAGE), PAGE)).isEqualTo("ENODEV");
    assertThat(guest.device(group, "0000:41:00.0")).isPositive();
  }

  @Test
  void aDeviceWithoutAnIommuHasAContainerOfItsOwnKind() {
    int container = guest.container();
    int group = guest.open("/dev/vfio/noiommu-5");
    assertThat(guest.setContainer(group, container)).isEqualTo("0");
    assertThat(guest.setContainer(guest.group(1), container)).isEqualTo("EPERM");
    assertThat(guest.setIommu(container, V2)).isEqualTo("ENODEV");
    assertThat(guest.setIommu(container, Vfio.VFIO_NOIOMMU_IOMMU)).isEqualTo("0");
    assertThat(guest.map(container, 0, guest.memory(PAGE), PAGE)).isEqualTo("ENOTTY");
    assertThat(guest.device(group, "0000:41:00.0")).isPositive();
  }
}
