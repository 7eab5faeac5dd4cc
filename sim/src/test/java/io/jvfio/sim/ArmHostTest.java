// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_CHECK_EXTENSION;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_GET_IRQ_INFO;
import static io.jvfio.linux.uapi.Vfio.VFIO_IOMMU_GET_INFO;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_INFO_NORESIZE;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.linux.Architecture;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import io.jvfio.linux.uapi.VfioIrqInfo;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ArmHostTest {
  private static final long MIB = 1 << 20;

  private Guest guest = new Guest("arm64-6.12");

  @AfterEach
  void close() {
    guest.close();
  }

  private void use(HostOptions options) {
    guest.close();
    guest = new Guest("arm64-6.12", options);
  }

  private String text(String path) throws ErrnoException {
    return guest.kernel.readText(path);
  }

  @Test
  void itsFilesDescribeAnSmmu() throws ErrnoException {
    assertThat(guest.kernel.architecture()).isEqualTo(Architecture.AARCH64);
    assertThat(guest.kernel.list("/sys/class/iommu")).containsExactly("smmu3.0x0000000009050000");
    assertThat(guest.kernel.list("/sys/kernel/iommu_groups"))
        .containsExactlyInAnyOrder("0", "1", "2");
    assertThat(text("/sys/kernel/iommu_groups/1/type")).isEqualTo("DMA");
    assertThat(text("/sys/kernel/iommu_groups/1/reserved_regions"))
        .isEqualTo("0x0000000008000000 0x00000000080fffff msi");
    assertThat(guest.kernel.list("/sys/kernel/iommu_groups/1"))
        .containsExactlyInAnyOrder("devices", "reserved_regions", "type");
    assertThat(guest.kernel.list("/dev/vfio")).containsExactlyInAnyOrder("1", "2", "vfio");
    assertThat(text("/sys/bus/pci/devices/0000:00:00.0/vendor")).isEqualTo("0x1b36");
    assertThat(text("/sys/bus/pci/devices/0000:00:01.0/resource"))
        .startsWith("0x0000008000000000 0x0000008000003fff 0x0000000000140204\n");
    assertThat(text("/proc/cmdline")).doesNotContain("intel");
    assertThat(text("/proc/sys/kernel/osrelease")).isEqualTo("6.12.107+deb13-arm64");
  }

  @Test
  void theWindowForMsiIsNotForMapping() {
    int container = guest.container(guest.group(1), 3);
    long memory = guest.memory(MIB);
    assertThat(guest.map(container, 0x800_0000L, memory, 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0x80f_f000L, memory, 0x1000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0x7ff_f000L, memory, 0x2000)).isEqualTo("EINVAL");
    assertThat(guest.map(container, 0x7ff_f000L, memory, 0x1000)).isEqualTo("0");
    assertThat(guest.map(container, 0x810_0000L, memory, MIB)).isEqualTo("0");
    assertThat(guest.map(container, 0xfee0_0000L, memory, 0x1000)).isEqualTo("0");
    assertThat(guest.map(container, (1L << 48) - 0x1000, memory, 0x1000)).isEqualTo("0");
    assertThat(guest.map(container, 1L << 48, memory, 0x1000)).isEqualTo("EINVAL");
  }

  @Test
  void infoListsWhatIsLeft() {
    int container = guest.container(guest.group(1), 3);
    assertThat(guest.setContainer(guest.group(2), container)).isEqualTo("0");
    var info = guest.arena.allocate(256, 8);
    VfioIommuType1Info.ARGSZ.set(info, 256);
    assertThat(guest.kernel.ioctl(container, VFIO_IOMMU_GET_INFO, info)).isZero();
    assertThat(VfioIommuType1Info.IOVA_PGSIZES.get(info)).isEqualTo(0x4020_1000L);
    assertThat(info.get(ValueLayout.JAVA_INT, 80)).isEqualTo(2);
    assertThat(info.get(ValueLayout.JAVA_LONG, 88)).isZero();
    assertThat(info.get(ValueLayout.JAVA_LONG, 96)).isEqualTo(0x7ff_ffffL);
    assertThat(info.get(ValueLayout.JAVA_LONG, 104)).isEqualTo(0x810_0000L);
    assertThat(info.get(ValueLayout.JAVA_LONG, 112)).isEqualTo(0xffff_ffff_ffffL);
  }

  @Test
  void nestingIsAdvertisedAndNotPermitted() {
    int container = guest.container();
    assertThat(guest.setContainer(guest.group(1), container)).isEqualTo("0");
    for (int type : new int[] {1, 3, 6, 9}) {
      assertThat(guest.ioctl(container, VFIO_CHECK_EXTENSION, type)).isEqualTo(1);
    }
    for (int type : new int[] {2, 4, 5, 7, 8, 10}) {
      assertThat(guest.ioctl(container, VFIO_CHECK_EXTENSION, type)).isZero();
    }
    assertThat(guest.setIommu(container, 6)).isEqualTo("EPERM");
    assertThat(guest.setIommu(container, 7)).isEqualTo("ENODEV");
    assertThat(guest.setIommu(container, 3)).isEqualTo("0");
  }

  @Test
  void interruptsNeedIsolationHereToo() {
    use(HostOptions.defaults().withoutInterruptIsolation());
    int container = guest.container();
    assertThat(guest.setContainer(guest.group(1), container)).isEqualTo("0");
    assertThat(guest.setIommu(container, 3)).isEqualTo("EPERM");
  }

  @Test
  void vectorsOfMsixAreAllMadeAtOnce() {
    int group = guest.group(1);
    guest.container(group, 3);
    int device = guest.device(group, "0000:00:01.0");
    var info = VfioIrqInfo.STRUCT.allocate(guest.arena);
    VfioIrqInfo.INDEX.set(info, 2);
    assertThat(guest.kernel.ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, info)).isZero();
    assertThat(VfioIrqInfo.FLAGS.get(info) & VFIO_IRQ_INFO_NORESIZE).isNotZero();
  }

  @Test
  void hugePagesAreOfItsOwnSizes() {
    use(HostOptions.defaults().withHugePages(32 * MIB, 1).withHugePages(64 << 10, 4));
    int flags = Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS | Kernel.MAP_HUGETLB;
    assertThat(guest.kernel.mmap(1, 3, flags | 25 << Kernel.MAP_HUGE_SHIFT, -1, 0) % (32 * MIB))
        .isZero();
    assertThat(guest.kernel.mmap(1, 3, flags | 16 << Kernel.MAP_HUGE_SHIFT, -1, 0)).isPositive();
    assertThat(answer(guest.kernel.mmap(1, 3, flags | 24 << Kernel.MAP_HUGE_SHIFT, -1, 0)))
        .isEqualTo("EINVAL");
  }

  @Test
  void theLibraryTakesType1v2() {
    var vfio = VfioHost.of("sim:arm64-6.12", guest.kernel);
    var address = PciAddress.parse("0000:00:01.0");
    try (var device = vfio.open(address, IommuPolicy.automatic())) {
      assertThat(device.dmaSpace().type()).isEqualTo(IommuType.TYPE1V2);
    }
  }
}
