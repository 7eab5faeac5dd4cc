// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.setup;

import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_IO;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MASTER;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MEMORY;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_SERR;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.sim.setup.HostDescription.BarPlace;
import io.jvfio.sim.setup.HostDescription.Function;
import io.jvfio.sim.setup.HostDescription.Group;
import io.jvfio.sim.setup.HostDescription.IommufdSupport;
import io.jvfio.sim.setup.HostDescription.Reserved;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The simulated hosts. Addresses, group numbers and attributes are those that QEMU guests with the
 * same kernels show.
 */
public final class HostCatalog {
  private static final int PAGE_4K = 1 << 12;
  private static final int PAGE_64K = 1 << 16;
  private static final int INTEL = 0x8086;
  private static final int IBM = 0x1014;
  private static final int QEMU = 0x1b36;
  private static final int QEMU_NVME = 0x0010;
  private static final int QEMU_HOST_BRIDGE = 0x0008;
  private static final int CLASS_NVME = 0x010802;
  private static final long NVME_BAR_SIZE = 16 << 10;
  private static final long FLAGS_MEMORY_64 = 0x140204;
  private static final long FLAGS_MEMORY = 0x40200;
  private static final long FLAGS_PORTS = 0x40101;
  private static final long GIB = 1L << 30;

  private static final int COMMAND_ON =
      PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR;

  /** Where an SMMU driver maps the doorbell of MSIs; to sysfs it is of the same type. */
  private static final Reserved SOFTWARE_MSI = new Reserved(0x800_0000L, 0x80f_ffffL, "msi");

  private static final Reserved MSI = new Reserved(0xfee0_0000L, 0xfeef_ffffL, "msi");

  public static final List<HostDescription> HOSTS =
      List.of(
          new HostDescription(
              "x86-6.12",
              "A PC with an Intel IOMMU and Linux 6.12: Type1 and Type1v2 work; nesting is"
                  + " advertised and cannot be set.",
              Architecture.X86_64,
              PAGE_4K,
              KernelEra.LINUX_6_12,
              "6.12.107+deb13-amd64",
              new IommuPlatform.Paging("dmar0", 0x4020_1000L, (1L << 48) - 1),
              List.of(
                  new Group(0, null, List.of(MSI)),
                  new Group(1, null, List.of(MSI)),
                  new Group(2, null, List.of(MSI)),
                  new Group(
                      3, null, List.of(new Reserved(0, 0xff_ffffL, "direct-relaxable"), MSI))),
              pc(0)),
          new HostDescription(
              "x86-6.12-iommufd",
              "A PC with an Intel IOMMU and a Linux 6.12 that has iommufd and character devices"
                  + " beside groups and containers; one device has no IOMMU.",
              Architecture.X86_64,
              PAGE_4K,
              KernelEra.LINUX_6_12,
              "6.12.107",
              new IommuPlatform.Paging("dmar0", 0x4020_1000L, (1L << 48) - 1),
              List.of(
                  new Group(0, null, List.of(MSI)),
                  new Group(1, null, List.of(MSI)),
                  new Group(2, null, List.of(MSI)),
                  new Group(3, null, List.of(MSI)),
                  new Group(4, null, List.of(new Reserved(0, 0xff_ffffL, "direct-relaxable"), MSI)),
                  new Group(5, Group.NO_IOMMU, List.of())),
              bypassingPc(),
              new IommufdSupport(0x80d2_008c_222f_0686L, 0xf0_0f4aL)),
          new HostDescription(
              "x86-noiommu",
              "A PC without an IOMMU and Linux 6.12 in unsafe no-IOMMU mode: devices reach"
                  + " physical memory, and a container can map nothing.",
              Architecture.X86_64,
              PAGE_4K,
              KernelEra.LINUX_6_12,
              "6.12.107",
              new IommuPlatform.None(),
              List.of(
                  new Group(0, Group.NO_IOMMU, List.of()), new Group(1, Group.NO_IOMMU, List.of())),
              pc(-1)),
          new HostDescription(
              "arm64-6.12",
              "An Arm server with an SMMUv3 and Linux 6.12: Type1 and Type1v2 work, around a"
                  + " window for MSI; nesting is advertised and refused with EPERM.",
              Architecture.AARCH64,
              PAGE_4K,
              KernelEra.LINUX_6_12,
              "6.12.107+deb13-arm64",
              new IommuPlatform.Paging(
                  "smmu3.0x0000000009050000", 0x4020_1000L, (1L << 48) - 1, Errno.EPERM),
              List.of(
                  new Group(0, null, List.of(SOFTWARE_MSI)),
                  new Group(1, null, List.of(SOFTWARE_MSI)),
                  new Group(2, null, List.of(SOFTWARE_MSI))),
              List.of(
                  bridge("0000:00:00.0", QEMU_HOST_BRIDGE, 0x060000, 0, 0, 0, List.of()),
                  nvme("0000:00:01.0", List.of(), 0, 1, "jvfio0", 0x80_0000_0000L, null),
                  nvme("0000:00:02.0", List.of(), 0, 2, "jvfio1", 0x80_0000_4000L, null))),
          powerNv(
              "powernv-5.10",
              "A bare-metal POWER9 with Linux 5.10: sPAPR v1 is refused with EPERM, v2 works with"
                  + " windows of its own making.",
              KernelEra.LINUX_5_10,
              "5.10.223"),
          powerNv(
              "powernv-6.12",
              "A bare-metal POWER9 with Linux 6.12: sPAPR v1 and v2 work, and groups share v2's"
                  + " windows.",
              KernelEra.LINUX_6_12,
              "6.12.107+deb13-powerpc64le-64k"),
          partition(
              "pseries-5.10",
              "A POWER partition with Linux 5.10: sPAPR v2 is advertised and refused with EPERM, v1"
                  + " works in the same container.",
              KernelEra.LINUX_5_10,
              "5.10.223",
              true),
          partition(
              "pseries-6.8",
              "A POWER partition with Linux 6.8: sPAPR v2 is advertised and refused with EINVAL, v1"
                  + " borrows the host's window.",
              KernelEra.LINUX_6_8,
              "6.8.12",
              true),
          partition(
              "pseries-6.12",
              "A POWER partition with Linux 6.12 and Dynamic DMA Windows: sPAPR v1 and v2 work, one"
                  + " group per container.",
              KernelEra.LINUX_6_12,
              "6.12.107+deb13-powerpc64le",
              true),
          partition(
              "pseries-6.12-noddw",
              "A POWER partition with Linux 6.12 and no Dynamic DMA Windows: sPAPR v1 and v2 are"
                  + " accepted, neither can map, and trying poisons the device.",
              KernelEra.LINUX_6_12,
              "6.12.107+deb13-powerpc64le",
              false));

  private HostCatalog() {}

  /**
   * The functions of a Q35 machine with two NVMe controllers.
   *
   * @param firstGroup 0 with an IOMMU; -1 without, when only what VFIO has gets a group
   */
  private static List<Function> pc(int firstGroup) {
    boolean iommu = firstGroup == 0;
    int chipset = iommu ? 3 : -1;
    return List.of(
        plain("0000:00:00.0", 0x29c0, 0x060000, 0, 0x0103, 0, iommu ? 0 : -1, null, List.of()),
        nvme("0000:00:01.0", List.of(), 10, iommu ? 1 : 0, "jvfio0", 0xfebf_4000L, null),
        nvme("0000:00:02.0", List.of(), 11, iommu ? 2 : 1, "jvfio1", 0xfebf_8000L, null),
        plain("0000:00:1f.0", 0x2918, 0x060100, 2, 0x0103, 0, chipset, "lpc_ich", List.of()),
        ahci(chipset, "ahci", 0xfebf_c000L),
        smbus(chipset, "i801_smbus"));
  }

  private static Function ahci(int group, @Nullable String driver, long address) {
    var bars =
        List.of(
            new BarPlace(4, 0xc040, 0xc040, 0x20, FLAGS_PORTS),
            new BarPlace(5, address, address, 0x1000, FLAGS_MEMORY));
    return plain("0000:00:1f.2", 0x2922, 0x010601, 2, COMMAND_ON, 10, group, driver, bars);
  }

  private static Function smbus(int group, @Nullable String driver) {
    var bars = List.of(new BarPlace(4, 0x700, 0x700, 0x40, FLAGS_PORTS));
    return plain("0000:00:1f.3", 0x2930, 0x0c0500, 2, 0x0103, 10, group, driver, bars);
  }

  /**
   * The functions of a Q35 machine with three NVMe controllers, one of them below a host bridge
   * that the IOMMU does not cover.
   */
  private static List<Function> bypassingPc() {
    return List.of(
        plain("0000:00:00.0", 0x29c0, 0x060000, 0, 0x0103, 0, 0, null, List.of()),
        nvme("0000:00:01.0", List.of(), 21, 1, "jvfio0", 0xfe80_0000L, null),
        nvme("0000:00:02.0", List.of(), 22, 2, "jvfio1", 0xfe80_4000L, null),
        bridge("0000:00:03.0", 0x000b, 0x060000, 0x0103, 0, 3, List.of()),
        plain("0000:00:1f.0", 0x2918, 0x060100, 2, 0x0103, 0, 4, null, List.of()),
        ahci(4, null, 0xfe80_8000L),
        smbus(4, null),
        bridge(
            "0000:40:00.0",
            0x000c,
            0x060400,
            COMMAND_ON,
            11,
            -1,
            List.of(new BarPlace(0, 0xfe80_9000L, 0xfe80_9000L, 0x1000, FLAGS_MEMORY))),
        nvme("0000:41:00.0", List.of("0000:40:00.0"), 11, 5, "jvfio2", 0xfe60_0000L, null));
  }

  private static Function bridge(
      String address,
      int device,
      int classCode,
      int command,
      int irq,
      int group,
      List<BarPlace> bars) {
    return new Function(
        address, List.of(), QEMU, device, classCode, 0, command, irq, group, null, null, bars,
        null);
  }

  private static Function plain(
      String address,
      int device,
      int classCode,
      int revision,
      int command,
      int irq,
      int group,
      @Nullable String driver,
      List<BarPlace> bars) {
    return new Function(
        address, List.of(), INTEL, device, classCode, revision, command, irq, group, driver, null,
        bars, null);
  }

  private static Function nvme(
      String address,
      List<String> parents,
      int irq,
      int group,
      String serial,
      long barAddress,
      @Nullable String node) {
    long busAddress = node == null ? barAddress : barAddress & 0xffff_ffffL;
    long flags = node == null ? FLAGS_MEMORY_64 : FLAGS_MEMORY;
    return new Function(
        address,
        parents,
        QEMU,
        QEMU_NVME,
        CLASS_NVME,
        2,
        // Firmware of POWER leaves a device without decoding.
        node == null ? COMMAND_ON : PCI_COMMAND_SERR,
        irq,
        group,
        "vfio-pci",
        serial,
        List.of(new BarPlace(0, barAddress, busAddress, NVME_BAR_SIZE, flags)),
        node);
  }

  private static HostDescription powerNv(
      String name, String description, KernelEra era, String release) {
    return new HostDescription(
        name,
        description,
        Architecture.PPC64LE,
        PAGE_64K,
        era,
        release,
        new IommuPlatform.Ioda2(2 * GIB, 0x4021_1000L, 5, 1L << 59),
        List.of(new Group(0, "domain0-pe1", List.of()), new Group(1, "domain1-pe1", List.of())),
        List.of(
            rootPort("0000:00:00.0", "pciex@600c3c0000000"),
            nvme(
                "0000:01:00.0",
                List.of("0000:00:00.0"),
                24,
                0,
                "jvfio0",
                0x600c_0800_0000_0L,
                "pciex@600c3c0000000/pci@0/mass-storage@0"),
            rootPort("0001:00:00.0", "pciex@600c3c0100000"),
            nvme(
                "0001:01:00.0",
                List.of("0001:00:00.0"),
                25,
                1,
                "jvfio1",
                0x600c_0880_0000_0L,
                "pciex@600c3c0100000/pci@0/mass-storage@0")));
  }

  private static Function rootPort(String address, String bridge) {
    return new Function(
        address,
        List.of(),
        IBM,
        0x04c1,
        0x060400,
        0,
        COMMAND_ON,
        0,
        -1,
        "pcieport",
        null,
        List.of(),
        bridge + "/pci@0");
  }

  private static HostDescription partition(
      String name, String description, KernelEra era, String release, boolean dynamicWindows) {
    return new HostDescription(
        name,
        description,
        Architecture.PPC64LE,
        PAGE_4K,
        era,
        release,
        new IommuPlatform.Partition(
            GIB, dynamicWindows, 0x0121_1000L, 1L << 37, 0x0800_0000_0000_0000L),
        List.of(new Group(0, "domain0-pe0", List.of()), new Group(1, "domain1-pe0", List.of())),
        List.of(
            nvme(
                "0000:00:00.0",
                List.of(),
                0,
                0,
                "jvfio0",
                0x2000_8000_0000L,
                "pci@800000020000000/mass-storage@0"),
            nvme(
                "0001:00:00.0",
                List.of(),
                0,
                1,
                "jvfio1",
                0x2001_0000_0000L,
                "pci@800000020000001/mass-storage@0")));
  }
}
