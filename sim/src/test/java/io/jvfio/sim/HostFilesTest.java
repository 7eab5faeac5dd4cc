// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Sysfs, procfs and device nodes, as QEMU guests with these kernels show them. */
class HostFilesTest {
  private static final String NVME = "/sys/bus/pci/devices/0000:00:01.0";

  private Guest guest = new Guest("x86-6.12");

  @AfterEach
  void close() {
    guest.close();
  }

  private void use(String host, HostOptions options) {
    guest.close();
    guest = new Guest(host, options);
  }

  private String text(String path) throws ErrnoException {
    return guest.kernel.readText(path);
  }

  @Test
  void aPcHasItsDevicesInTheirGroups() throws ErrnoException {
    assertThat(guest.kernel.list("/sys/bus/pci/devices"))
        .containsExactlyInAnyOrder(
            "0000:00:00.0",
            "0000:00:01.0",
            "0000:00:02.0",
            "0000:00:1f.0",
            "0000:00:1f.2",
            "0000:00:1f.3");
    assertThat(guest.kernel.list("/sys/kernel/iommu_groups"))
        .containsExactlyInAnyOrder("0", "1", "2", "3");
    assertThat(guest.kernel.list("/sys/kernel/iommu_groups/3/devices"))
        .containsExactlyInAnyOrder("0000:00:1f.0", "0000:00:1f.2", "0000:00:1f.3");
    assertThat(guest.kernel.list("/sys/kernel/iommu_groups/1"))
        .containsExactlyInAnyOrder("devices", "reserved_regions", "type");
    assertThat(text("/sys/kernel/iommu_groups/1/type")).isEqualTo("DMA");
    assertThat(text("/sys/kernel/iommu_groups/3/reserved_regions"))
        .isEqualTo(
            "0x0000000000000000 0x0000000000ffffff direct-relaxable\n"
                + "0x00000000fee00000 0x00000000feefffff msi");
    assertThat(guest.kernel.list("/dev/vfio")).containsExactlyInAnyOrder("1", "2", "vfio");
  }

  /** What tells of an IOMMU, and of what the host lives on: an initial RAM disk. */
  @Test
  void aMachineIsDescribed() throws ErrnoException {
    assertThat(guest.kernel.list("/sys/firmware/acpi/tables")).contains("DMAR", "FACP");
    assertThat(text("/proc/interrupts")).contains(" IR-IO-APIC ");
    assertThat(text("/proc/self/mountinfo")).contains(" / / rw - rootfs ");
    assertThat(text("/proc/swaps")).startsWith("Filename").hasLineCount(1);
    assertThat(text("/proc/net/route")).startsWith("Iface\tDestination").hasLineCount(1);
    assertThat(text("/proc/self/cgroup")).isEqualTo("0::/");
    assertThat(text(NVME + "/power_state")).isEqualTo("D0");
    assertThat(text(NVME + "/d3cold_allowed")).isEqualTo("1");
    use("x86-6.12", HostOptions.defaults().withoutInterruptIsolation());
    assertThat(text("/proc/interrupts")).contains(" IO-APIC ").doesNotContain("IR-");
    use("arm64-6.12", HostOptions.defaults());
    assertThat(guest.kernel.list("/sys/firmware/acpi/tables")).contains("IORT");
    use("pseries-5.10", HostOptions.defaults());
    assertThatThrownBy(() -> guest.kernel.list("/sys/firmware/acpi/tables"))
        .hasMessageContaining("ENOENT");
    assertThatThrownBy(() -> text("/sys/bus/pci/devices/0000:00:00.0/reset_method"))
        .hasMessageContaining("ENOENT");
    assertThat(guest.kernel.list("/sys/bus/pci/devices/0000:00:00.0")).contains("reset");
  }

  /** Whether a file could be opened is told without opening it. */
  @Test
  void accessGoesByTheRightsOfTheProcess() {
    int both = Kernel.R_OK | Kernel.W_OK;
    assertThat(guest.kernel.access("/dev/vfio/1", both)).isZero();
    assertThat(guest.kernel.access("/dev/vfio/7", both)).isEqualTo(Errno.ENOENT.result());
    use("x86-6.12", HostOptions.unprivileged());
    assertThat(guest.kernel.access("/dev/vfio/vfio", both)).isZero();
    assertThat(guest.kernel.access("/dev/vfio/1", both)).isEqualTo(Errno.EACCES.result());
    use("x86-6.12", HostOptions.unprivileged().withGroupAccess());
    assertThat(guest.kernel.access("/dev/vfio/1", both)).isZero();
  }

  @Test
  void aControllerIsDescribed() throws ErrnoException {
    assertThat(text(NVME + "/vendor")).isEqualTo("0x1b36");
    assertThat(text(NVME + "/device")).isEqualTo("0x0010");
    assertThat(text(NVME + "/subsystem_vendor")).isEqualTo("0x1af4");
    assertThat(text(NVME + "/subsystem_device")).isEqualTo("0x1100");
    assertThat(text(NVME + "/class")).isEqualTo("0x010802");
    assertThat(text(NVME + "/revision")).isEqualTo("0x02");
    assertThat(text(NVME + "/irq")).isEqualTo("10");
    assertThat(text(NVME + "/numa_node")).isEqualTo("-1");
    assertThat(text(NVME + "/driver_override")).isEqualTo("vfio-pci");
    assertThat(text(NVME + "/reset_method")).isEqualTo("flr");
    assertThat(text(NVME + "/modalias"))
        .isEqualTo("pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02");
    assertThat(text(NVME + "/resource").lines())
        .hasSize(13)
        .startsWith("0x00000000febf4000 0x00000000febf7fff 0x0000000000140204");
    assertThat(guest.kernel.readLink(NVME)).isEqualTo("../../../devices/pci0000:00/0000:00:01.0");
    assertThat(guest.kernel.readLink(NVME + "/driver"))
        .isEqualTo("../../../bus/pci/drivers/vfio-pci");
    assertThat(guest.kernel.readLink(NVME + "/iommu_group"))
        .isEqualTo("../../../kernel/iommu_groups/1");
    assertThat(guest.kernel.list(NVME + "/iommu_group/devices")).containsExactly("0000:00:01.0");
    assertThat(guest.kernel.list("/sys/bus/pci/drivers/vfio-pci"))
        .containsExactlyInAnyOrder("0000:00:01.0", "0000:00:02.0");
    assertThat(text("/sys/bus/pci/drivers/ahci/0000:00:1f.2/class")).isEqualTo("0x010601");
    assertThat(guest.kernel.list("/sys/class/iommu/dmar0/devices")).hasSize(6);
  }

  @Test
  void configurationSpaceIsTheHardwares() throws ErrnoException {
    var config = guest.kernel.readBytes(NVME + "/config");
    assertThat(config).hasSize(4096);
    assertThat(HexFormat.of().formatHex(config, 0, 0x40))
        .isEqualTo(
            "361b1000070110000202080100000000"
                + "0440bffe000000000000000000000000"
                + "000000000000000000000000f41a0011"
                + "0000000040000000000000000a010000");
    assertThat(HexFormat.of().formatHex(config, 0x60, 0x68)).isEqualTo("010003000b000000");
    use("x86-6.12", HostOptions.unprivileged());
    assertThat(guest.kernel.readBytes(NVME + "/config")).hasSize(64);
  }

  @Test
  void aPartitionHasItsDeviceTree() throws ErrnoException {
    use("pseries-6.12", HostOptions.defaults());
    var base = "/sys/firmware/devicetree/base";
    var bridge = base + "/pci@800000020000000";
    assertThat(guest.kernel.readLink("/sys/bus/pci/devices/0000:00:00.0/of_node"))
        .isEqualTo("../../../firmware/devicetree/base/pci@800000020000000/mass-storage@0");
    assertThat(text("/sys/bus/pci/devices/0000:00:00.0/of_node/name")).isEqualTo("mass-storage\0");
    assertThat(guest.kernel.list(bridge)).contains("ibm,ddw-applicable");
    assertThat(hex(bridge + "/ibm,dma-window"))
        .isEqualTo("8000000000000000000000000000000040000000");
    assertThat(hex(bridge + "/ibm,ddw-applicable")).isEqualTo("000020260000202700002028");
    assertThat(hex(base + "/pci@800000020000001/ibm,dma-window"))
        .isEqualTo("8000010000000000000000000000000040000000");
    assertThat(hex(bridge + "/mass-storage@0/vendor-id")).isEqualTo("00001b36");
    assertThat(text("/proc/device-tree/compatible")).isEqualTo("qemu,pseries\0");
    assertThat(text("/sys/kernel/iommu_groups/1/name")).isEqualTo("domain1-pe0");
    assertThat(text("/sys/kernel/iommu_groups/1/type")).isEqualTo("unknown");
    assertThat(text("/sys/kernel/iommu_groups/1/reserved_regions")).isEmpty();
    assertThat(guest.kernel.list("/sys/class/iommu"))
        .containsExactlyInAnyOrder("iommu-phb0000", "iommu-phb0001");
    assertThat(text("/proc/cpuinfo")).contains("platform\t: pSeries");
  }

  private String hex(String path) throws ErrnoException {
    return HexFormat.of().formatHex(guest.kernel.readBytes(path));
  }

  @Test
  void aHypervisorWithoutWindowsDoesNotSayItHasThem() throws ErrnoException {
    use("pseries-6.12-noddw", HostOptions.defaults());
    assertThat(guest.kernel.list("/sys/firmware/devicetree/base/pci@800000020000000"))
        .contains("ibm,dma-window")
        .doesNotContain("ibm,ddw-applicable", "ibm,ddw-extensions");
  }

  @Test
  void aDeviceBehindABridgeIsFoundThroughTheLinks() throws ErrnoException {
    use("powernv-6.12", HostOptions.defaults());
    var device = "/sys/bus/pci/devices/0000:01:00.0";
    assertThat(guest.kernel.readLink(device))
        .isEqualTo("../../../devices/pci0000:00/0000:00:00.0/0000:01:00.0");
    assertThat(text(device + "/iommu_group/name")).isEqualTo("domain0-pe1");
    assertThat(text(device + "/driver/0000:01:00.0/vendor")).isEqualTo("0x1b36");
    assertThat(text(device + "/../class")).isEqualTo("0x060400");
    assertThat(text("/sys/kernel/iommu_groups/0/devices/0000:01:00.0/device")).isEqualTo("0x0010");
  }

  @Test
  void withoutAnIommuTheGroupsAreStandIns() throws ErrnoException {
    use("x86-noiommu", HostOptions.defaults());
    assertThat(guest.kernel.list("/dev/vfio"))
        .containsExactlyInAnyOrder("noiommu-0", "noiommu-1", "vfio");
    assertThat(text("/sys/kernel/iommu_groups/0/name")).isEqualTo("vfio-noiommu");
    assertThat(text("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode")).isEqualTo("Y");
    assertThat(guest.kernel.list("/sys/class/iommu")).isEmpty();
    assertThatThrownBy(() -> guest.kernel.readLink("/sys/bus/pci/devices/0000:00:1f.2/iommu_group"))
        .hasMessageContaining("ENOENT");
  }

  @Test
  void withoutVfioThereIsNothingOfIt() throws ErrnoException {
    use("x86-6.12", HostOptions.defaults().withoutVfio());
    assertThatThrownBy(() -> guest.kernel.list("/dev/vfio")).hasMessageContaining("ENOENT");
    assertThat(Guest.answer(guest.container())).isEqualTo("ENOENT");
    assertThat(guest.kernel.list("/sys/module")).isEmpty();
    assertThatThrownBy(() -> guest.kernel.readLink(NVME + "/driver"))
        .hasMessageContaining("ENOENT");
  }

  @Test
  void theProcessSeesItself() throws ErrnoException {
    use("x86-6.12", HostOptions.unprivileged().withPid(77).withGroupAccess());
    assertThat(guest.kernel.readLink("/proc/self")).isEqualTo("77");
    assertThat(text("/proc/self/status"))
        .contains("Pid:\t77\n", "Uid:\t65534\t65534\t65534\t65534\n")
        .contains("VmLck:\t       0 kB\n", "CapEff:\t0000000000000000\n");
    int group = guest.group(1);
    int container = guest.container(group, 3);
    guest.map(container, 0, guest.memory(0x2000), 0x2000);
    assertThat(text("/proc/77/status")).contains("VmLck:\t       8 kB\n");
    assertThat(guest.kernel.readLink("/proc/self/fd/" + group)).isEqualTo("/dev/vfio/1");
    assertThat(guest.kernel.readLink("/proc/self/fd/" + container)).isEqualTo("/dev/vfio/vfio");
    int device = guest.device(group, "0000:00:01.0");
    assertThat(guest.kernel.readLink("/proc/self/fd/" + device))
        .isEqualTo("anon_inode:[vfio-device]");
    assertThat(guest.kernel.list("/proc/self/fd")).contains(Integer.toString(device));
    assertThat(text("/proc/sys/kernel/osrelease")).isEqualTo("6.12.107+deb13-amd64");
    assertThat(guest.kernel.lockedMemoryLimit()).isEqualTo(64 << 10);
  }

  @Test
  void rootSeesWhoHoldsAGroup() throws ErrnoException {
    use("x86-6.12", HostOptions.defaults().withGroupHeldBy(1, 4242, "qemu-system-x86"));
    assertThat(text("/proc/4242/comm")).isEqualTo("qemu-system-x86");
    assertThat(guest.kernel.list("/proc/4242/fd")).hasSize(1);
    var fd = guest.kernel.list("/proc/4242/fd").getFirst();
    assertThat(guest.kernel.readLink("/proc/4242/fd/" + fd)).isEqualTo("/dev/vfio/1");
    use("x86-6.12", HostOptions.unprivileged().withGroupHeldBy(1, 4242, "qemu-system-x86"));
    assertThat(text("/proc/4242/comm")).isEqualTo("qemu-system-x86");
    assertThatThrownBy(() -> guest.kernel.list("/proc/4242/fd")).hasMessageContaining("EACCES");
  }

  @Test
  void nodesOfGroupsAreRootsUnlessOpenedToAll() {
    use("x86-6.12", HostOptions.unprivileged());
    assertThat(guest.container()).isPositive();
    assertThat(Guest.answer(guest.group(1))).isEqualTo("EACCES");
    use("x86-6.12", HostOptions.unprivileged().withGroupAccess());
    assertThat(guest.group(1)).isPositive();
    use("x86-6.12", HostOptions.defaults().withUid(1000));
    assertThat(Guest.answer(guest.group(1))).isEqualTo("EACCES");
  }

  @Test
  void pathsFailAsTheyDoOnLinux() throws ErrnoException {
    assertThat(Guest.answer(guest.open("/dev/vfio/99"))).isEqualTo("ENOENT");
    assertThat(Guest.answer(guest.open("/dev/vfio/vfio/x"))).isEqualTo("ENOTDIR");
    assertThat(Guest.answer(guest.open("/dev/vfio"))).isEqualTo("EISDIR");
    assertThat(Guest.answer(guest.open(NVME + "/vendor"))).isEqualTo("EACCES");
    assertThatThrownBy(() -> guest.kernel.list(NVME + "/vendor")).hasMessageContaining("ENOTDIR");
    assertThatThrownBy(() -> guest.kernel.readLink(NVME + "/vendor"))
        .hasMessageContaining("EINVAL");
    assertThatThrownBy(() -> text("/sys/kernel")).hasMessageContaining("EISDIR");
    assertThat(guest.kernel.list("/sys//bus/./pci/../pci/devices/")).hasSize(6);
    assertThat(guest.kernel.list("/..")).contains("dev", "proc", "sys");
  }

  @Test
  void aFileIsReadFromAnyOffset() {
    int fd = guest.kernel.open(NVME + "/vendor", Kernel.O_RDONLY);
    var bytes = guest.arena.allocate(4);
    assertThat(guest.kernel.pread(fd, bytes, 2)).isEqualTo(4);
    assertThat(bytes.toArray(ValueLayout.JAVA_BYTE))
        .isEqualTo("1b36".getBytes(StandardCharsets.US_ASCII));
    assertThat(guest.kernel.pread(fd, bytes, 100)).isZero();
    assertThat(Guest.answer(guest.kernel.pwrite(fd, bytes, 0))).isEqualTo("EBADF");
    assertThat(Guest.answer(guest.kernel.pread(fd, bytes, -1))).isEqualTo("EINVAL");
  }
}
