package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FLAGS_PCI;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FLAGS_RESET;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_INFO_AUTOMASKED;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_INFO_EVENTFD;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_INFO_MASKABLE;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_INFO_NORESIZE;
import static io.jvfio.linux.uapi.Vfio.VFIO_PCI_CONFIG_REGION_INDEX;
import static io.jvfio.linux.uapi.Vfio.VFIO_PCI_ROM_REGION_INDEX;
import static io.jvfio.linux.uapi.Vfio.VFIO_REGION_INFO_CAP_MSIX_MAPPABLE;
import static io.jvfio.linux.uapi.Vfio.VFIO_REGION_INFO_FLAG_CAPS;
import static io.jvfio.linux.uapi.Vfio.VFIO_REGION_INFO_FLAG_MMAP;
import static io.jvfio.linux.uapi.Vfio.VFIO_REGION_INFO_FLAG_READ;
import static io.jvfio.linux.uapi.Vfio.VFIO_REGION_INFO_FLAG_WRITE;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.VfioDeviceBindIommufd;
import io.jvfio.linux.uapi.VfioDeviceInfo;
import io.jvfio.linux.uapi.VfioInfoCapHeader;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioRegionInfo;
import java.lang.foreign.MemorySegment;

/** An open device. Source: {@code drivers/vfio/pci/vfio_pci_core.c}. */
final class DeviceFile extends OpenFile {
  private static final int REGION_SHIFT = 40;
  private static final int REGIONS = 9;
  private static final int IRQS = 5;
  private static final int IRQ_INTX = 0;
  private static final int IRQ_MSI = 1;
  private static final int IRQ_MSIX = 2;
  private static final int IRQ_ERROR = 3;

  /** Offset of the last field that every kernel fills in, and the size of what precedes it. */
  private static final int DEVICE_INFO_MINIMUM = 16;

  private final Host host;
  private final DeviceUser user;
  private final HostDevice device;
  private final VfioPci pci;

  /** Opens a device; its first file puts {@code user} to use. */
  DeviceFile(Host host, DeviceUser user, HostDevice device) {
    this.host = host;
    this.user = user;
    this.device = device;
    var open = device.open;
    if (open == null) {
      user.use(device);
      open = new VfioPci(device);
      device.open = open;
    }
    open.addFile();
    device.holders++;
    this.pci = open;
  }

  @Override
  String path() {
    return "anon_inode:[vfio-device]";
  }

  @Override
  void release() {
    if (pci.removeFile()) {
      user.unuse(device);
    }
    device.holders--;
  }

  VfioPci pci() {
    return pci;
  }

  @Override
  int ioctl(int command, UserArgument argument) throws UserFault {
    return switch (command) {
      case VfioCommand.DEVICE_GET_INFO -> info(argument);
      case VfioCommand.DEVICE_GET_REGION_INFO -> regionInfo(argument);
      case VfioCommand.DEVICE_GET_IRQ_INFO -> irqInfo(argument);
      case VfioCommand.DEVICE_RESET -> reset();
      case VfioCommand.DEVICE_BIND_IOMMUFD -> bind(argument);
      default -> Errno.ENOTTY.result();
    };
  }

  /** What came from a group is bound already, one way or another. */
  private int bind(UserArgument argument) throws UserFault {
    if (host.description().iommufd() == null) {
      return Errno.ENOTTY.result();
    }
    argument.copyIn(VfioDeviceBindIommufd.SIZE, VfioDeviceBindIommufd.SIZE);
    return Errno.EINVAL.result();
  }

  private int info(UserArgument argument) throws UserFault {
    var info = argument.copyIn(DEVICE_INFO_MINIMUM, VfioDeviceInfo.SIZE);
    long argsz = Integer.toUnsignedLong(VfioDeviceInfo.argsz(info));
    if (argsz < DEVICE_INFO_MINIMUM) {
      return Errno.EINVAL.result();
    }
    VfioDeviceInfo.flags(
        info, VFIO_DEVICE_FLAGS_PCI | (pci.canReset() ? VFIO_DEVICE_FLAGS_RESET : 0));
    VfioDeviceInfo.numRegions(info, REGIONS);
    VfioDeviceInfo.numIrqs(info, IRQS);
    argument.copyOut(0, info, Math.min(argsz, VfioDeviceInfo.SIZE));
    return 0;
  }

  private int regionInfo(UserArgument argument) throws UserFault {
    var info = argument.copyIn(VfioRegionInfo.SIZE, VfioRegionInfo.SIZE);
    long argsz = Integer.toUnsignedLong(VfioRegionInfo.argsz(info));
    int index = VfioRegionInfo.index(info);
    // There is no VGA among the devices, and nothing beyond it.
    if (argsz < VfioRegionInfo.SIZE || index < 0 || index > VFIO_PCI_CONFIG_REGION_INDEX) {
      return Errno.EINVAL.result();
    }
    VfioRegionInfo.offset(info, (long) index << REGION_SHIFT);
    VfioRegionInfo.flags(info, 0);
    VfioRegionInfo.size(info, 0);
    if (index == VFIO_PCI_CONFIG_REGION_INDEX) {
      VfioRegionInfo.size(info, pci.config().byteSize());
      VfioRegionInfo.flags(info, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
    } else if (index < VFIO_PCI_ROM_REGION_INDEX) {
      barInfo(argument, info, argsz, index);
    }
    argument.copyOut(0, info, VfioRegionInfo.SIZE);
    return 0;
  }

  private void barInfo(UserArgument argument, MemorySegment info, long argsz, int index)
      throws UserFault {
    var bar = pci.bar(index);
    if (bar == null) {
      return;
    }
    VfioRegionInfo.size(info, bar.byteSize());
    int flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    if (pci.canMap(bar, host.description().pageSize())) {
      flags |= VFIO_REGION_INFO_FLAG_MMAP;
      if (index == pci.msixBar()) {
        flags |= VFIO_REGION_INFO_FLAG_CAPS;
        var chain = new CapabilityChain(VfioRegionInfo.SIZE);
        chain.add(VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, 1, VfioInfoCapHeader.SIZE);
        if (argsz < chain.end()) {
          VfioRegionInfo.argsz(info, (int) chain.end());
          VfioRegionInfo.capOffset(info, 0);
        } else {
          chain.copyOut(argument);
          VfioRegionInfo.capOffset(info, (int) VfioRegionInfo.SIZE);
        }
      }
    }
    VfioRegionInfo.flags(info, flags);
  }

  private int irqInfo(UserArgument argument) throws UserFault {
    var info = argument.copyIn(VfioIrqInfo.SIZE, VfioIrqInfo.SIZE);
    int index = VfioIrqInfo.index(info);
    if (Integer.compareUnsigned(VfioIrqInfo.argsz(info), (int) VfioIrqInfo.SIZE) < 0
        || index < 0
        || index >= IRQS) {
      return Errno.EINVAL.result();
    }
    var hardware = pci.model().config();
    boolean express = PciConfig.capability(hardware, PciConfig.CAPABILITY_EXPRESS) != 0;
    if (index == IRQ_ERROR && !express) {
      return Errno.EINVAL.result();
    }
    int msi = PciConfig.capability(hardware, PciConfig.CAPABILITY_MSI);
    int count =
        switch (index) {
          case IRQ_INTX -> hardware.read(PciConfig.INTERRUPT_PIN, 1) == 0 ? 0 : 1;
          case IRQ_MSI -> msi == 0 ? 0 : 1 << (hardware.read(msi + 2, 2) >> 1 & 7);
          case IRQ_MSIX -> pci.msixVectors();
          default -> 1;
        };
    int flags = VFIO_IRQ_INFO_EVENTFD;
    if (index == IRQ_INTX) {
      flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
    } else if (index != IRQ_MSIX || !addsVectorsLater()) {
      flags |= VFIO_IRQ_INFO_NORESIZE;
    }
    VfioIrqInfo.flags(info, flags);
    VfioIrqInfo.count(info, count);
    argument.copyOut(0, info, VfioIrqInfo.SIZE);
    return 0;
  }

  /** Of the interrupt controllers here only that of a PC lets its driver do so. */
  private boolean addsVectorsLater() {
    return host.description().era() != KernelEra.LINUX_5_10
        && host.description().architecture() == Architecture.X86_64;
  }

  private int reset() {
    if (!pci.canReset()) {
      return Errno.EINVAL.result();
    }
    if (device.gone) {
      return Errno.ENOTTY.result(); // no way of resetting it has worked
    }
    pci.model().reset();
    return 0;
  }

  @Override
  long pread(MemorySegment target, long offset) {
    return access(target, offset, false);
  }

  @Override
  long pwrite(MemorySegment source, long offset) {
    return access(source, offset, true);
  }

  private long access(MemorySegment data, long offset, boolean write) {
    long index = offset >>> REGION_SHIFT;
    if (index >= REGIONS) {
      return Errno.EINVAL.result();
    }
    if (data.byteSize() == 0) {
      return 0;
    }
    long at = offset & (1L << REGION_SHIFT) - 1;
    if (index == VFIO_PCI_CONFIG_REGION_INDEX) {
      return pci.configAccess(data, at, write);
    }
    var bar = pci.bar((int) index);
    return bar == null ? Errno.EINVAL.result() : pci.barAccess(bar, data, at, write);
  }

  @Override
  long mmap(long byteSize, int protection, int flags, long offset) {
    long index = offset >>> REGION_SHIFT;
    var bar = index < VFIO_PCI_ROM_REGION_INDEX ? pci.bar((int) index) : null;
    if ((flags & Kernel.MAP_SHARED) == 0
        || bar == null
        || !pci.canMap(bar, host.description().pageSize())) {
      return Errno.EINVAL.result();
    }
    long at = offset & (1L << REGION_SHIFT) - 1;
    if (at + byteSize > host.memory().roundUp(bar.byteSize())) {
      return Errno.EINVAL.result();
    }
    return host.memory().mapBar(this, bar.index(), at, byteSize, protection);
  }
}
