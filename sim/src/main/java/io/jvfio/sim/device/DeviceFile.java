// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MEMORY;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FLAGS_PCI;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FLAGS_RESET;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_INFO_AUTOMASKED;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_INFO_EVENTFD;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_INFO_MASKABLE;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_INFO_NORESIZE;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_ACTION_MASK;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_ACTION_TRIGGER;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_ACTION_UNMASK;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_DATA_BOOL;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_DATA_EVENTFD;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_DATA_NONE;
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
import io.jvfio.linux.uapi.VfioDeviceIoeventfd;
import io.jvfio.linux.uapi.VfioInfoCapHeader;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioIrqSet;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.model.ResetReason;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.OpenFile;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.memory.CapabilityChain;
import io.jvfio.sim.memory.ProcessMemory;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import java.lang.foreign.MemorySegment;

/** An open device. Source: {@code drivers/vfio/pci/vfio_pci_core.c}. */
final class DeviceFile extends OpenFile implements ProcessMemory.MappedFile {
  private static final int REGION_SHIFT = 40;
  private static final int REGIONS = 9;
  private static final int IRQ_FLAGS =
      VFIO_IRQ_SET_DATA_NONE
          | VFIO_IRQ_SET_DATA_BOOL
          | VFIO_IRQ_SET_DATA_EVENTFD
          | VFIO_IRQ_SET_ACTION_MASK
          | VFIO_IRQ_SET_ACTION_UNMASK
          | VFIO_IRQ_SET_ACTION_TRIGGER;
  private static final int IRQ_DATA =
      VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_DATA_EVENTFD;
  private static final int IOEVENTFD_WIDTHS = 0xf;
  private static final long IOEVENTFD_MINIMUM = 28;

  /** Offset of the last field that every kernel fills in, and the size of what precedes it. */
  private static final int DEVICE_INFO_MINIMUM = 16;

  /** What a register of a device that is not there reads as. */
  private static final long NOTHING_THERE = -1;

  private final HostProcess process;
  private final DeviceUser user;
  private final HostDevice device;
  private final VfioPci pci;

  /** Opens a device; its first file puts {@code user} to use. */
  DeviceFile(DeviceUser user, HostDevice device) {
    super("anon_inode:[vfio-device]");
    this.process = device.process();
    this.user = user;
    this.device = device;
    this.pci = device.addFile(user);
  }

  @Override
  protected void release() {
    device.removeFile();
  }

  @Override
  public int ioctl(int command, UserArgument argument) throws UserFault {
    pci.wake();
    return switch (command) {
      case VfioCommand.DEVICE_GET_INFO -> info(argument);
      case VfioCommand.DEVICE_GET_REGION_INFO -> regionInfo(argument);
      case VfioCommand.DEVICE_GET_IRQ_INFO -> irqInfo(argument);
      case VfioCommand.DEVICE_SET_IRQS -> setInterrupts(argument);
      case VfioCommand.DEVICE_RESET -> reset();
      case VfioCommand.DEVICE_GET_PCI_HOT_RESET_INFO -> hotReset().info(argument);
      case VfioCommand.DEVICE_PCI_HOT_RESET -> hotReset().reset(argument);
      case VfioCommand.DEVICE_FEATURE -> new FeatureCall(device, pci, argument).answer();
      case VfioCommand.DEVICE_IOEVENTFD -> setIoEvent(argument);
      case VfioCommand.DEVICE_BIND_IOMMUFD -> bind(argument);
      default -> Errno.ENOTTY.result();
    };
  }

  /** What came from a group is bound already, one way or another. */
  private int bind(UserArgument argument) throws UserFault {
    if (process.description().iommufd() == null) {
      return Errno.ENOTTY.result();
    }
    argument.copyIn(VfioDeviceBindIommufd.BYTES);
    return Errno.EINVAL.result();
  }

  private int info(UserArgument argument) throws UserFault {
    var info = argument.copyIn(DEVICE_INFO_MINIMUM, VfioDeviceInfo.BYTES);
    long argsz = Integer.toUnsignedLong(VfioDeviceInfo.ARGSZ.get(info));
    if (argsz < DEVICE_INFO_MINIMUM) {
      return Errno.EINVAL.result();
    }
    VfioDeviceInfo.FLAGS.set(
        info, VFIO_DEVICE_FLAGS_PCI | (pci.canReset() ? VFIO_DEVICE_FLAGS_RESET : 0));
    VfioDeviceInfo.NUM_REGIONS.set(info, REGIONS);
    VfioDeviceInfo.NUM_IRQS.set(info, PciInterrupts.INDEXES);
    argument.copyOut(0, info, Math.min(argsz, VfioDeviceInfo.BYTES));
    return 0;
  }

  private int regionInfo(UserArgument argument) throws UserFault {
    var info = argument.copyIn(VfioRegionInfo.BYTES);
    long argsz = Integer.toUnsignedLong(VfioRegionInfo.ARGSZ.get(info));
    int index = VfioRegionInfo.INDEX.get(info);
    // There is no VGA among the devices, and nothing beyond it.
    if (argsz < VfioRegionInfo.BYTES || index < 0 || index > VFIO_PCI_CONFIG_REGION_INDEX) {
      return Errno.EINVAL.result();
    }
    VfioRegionInfo.OFFSET.set(info, (long) index << REGION_SHIFT);
    VfioRegionInfo.FLAGS.set(info, 0);
    VfioRegionInfo.SIZE.set(info, 0);
    if (index == VFIO_PCI_CONFIG_REGION_INDEX) {
      VfioRegionInfo.SIZE.set(info, pci.config().byteSize());
      VfioRegionInfo.FLAGS.set(info, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
    } else if (index < VFIO_PCI_ROM_REGION_INDEX) {
      barInfo(argument, info, argsz, index);
    }
    argument.copyOut(0, info, VfioRegionInfo.BYTES);
    return 0;
  }

  private void barInfo(UserArgument argument, MemorySegment info, long argsz, int index)
      throws UserFault {
    var bar = pci.bar(index);
    if (bar == null) {
      return;
    }
    VfioRegionInfo.SIZE.set(info, bar.byteSize());
    int flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    if (pci.canMap(bar, process.pageSize())) {
      flags |= VFIO_REGION_INFO_FLAG_MMAP;
      if (index == pci.msixBar()) {
        flags |= VFIO_REGION_INFO_FLAG_CAPS;
        var chain = new CapabilityChain(VfioRegionInfo.BYTES);
        chain.add(VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, 1, VfioInfoCapHeader.BYTES);
        if (argsz < chain.end()) {
          VfioRegionInfo.ARGSZ.set(info, (int) chain.end());
          VfioRegionInfo.CAP_OFFSET.set(info, 0);
        } else {
          chain.copyOut(argument);
          VfioRegionInfo.CAP_OFFSET.set(info, (int) VfioRegionInfo.BYTES);
        }
      }
    }
    VfioRegionInfo.FLAGS.set(info, flags);
  }

  private int irqInfo(UserArgument argument) throws UserFault {
    var info = argument.copyIn(VfioIrqInfo.BYTES);
    int index = VfioIrqInfo.INDEX.get(info);
    if (UserArgument.isShort(VfioIrqInfo.ARGSZ.get(info), VfioIrqInfo.BYTES)
        || index < 0
        || index >= PciInterrupts.INDEXES) {
      return Errno.EINVAL.result();
    }
    var interrupts = pci.interrupts();
    if (index == PciInterrupts.ERROR && !interrupts.isExpress()) {
      return Errno.EINVAL.result();
    }
    int flags = VFIO_IRQ_INFO_EVENTFD;
    if (index == PciInterrupts.INTX) {
      flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
    } else if (index != PciInterrupts.MSIX || !interrupts.addsVectorsLater()) {
      flags |= VFIO_IRQ_INFO_NORESIZE;
    }
    VfioIrqInfo.FLAGS.set(info, flags);
    VfioIrqInfo.COUNT.set(info, interrupts.count(index));
    argument.copyOut(0, info, VfioIrqInfo.BYTES);
    return 0;
  }

  private int setInterrupts(UserArgument argument) throws UserFault {
    var head = argument.copyIn(VfioIrqSet.BYTES);
    long argsz = Integer.toUnsignedLong(VfioIrqSet.ARGSZ.get(head));
    int flags = VfioIrqSet.FLAGS.get(head);
    int index = VfioIrqSet.INDEX.get(head);
    long start = Integer.toUnsignedLong(VfioIrqSet.START.get(head));
    long count = Integer.toUnsignedLong(VfioIrqSet.COUNT.get(head));
    if (argsz < VfioIrqSet.BYTES
        || index < 0
        || index >= PciInterrupts.INDEXES
        || (flags & ~IRQ_FLAGS) != 0
        || start >= pci.interrupts().count(index)
        || start + count > pci.interrupts().count(index)) {
      return Errno.EINVAL.result();
    }
    int width;
    switch (flags & IRQ_DATA) {
      case VFIO_IRQ_SET_DATA_NONE -> width = 0;
      case VFIO_IRQ_SET_DATA_BOOL -> width = Byte.BYTES;
      case VFIO_IRQ_SET_DATA_EVENTFD -> width = Integer.BYTES;
      default -> {
        return Errno.EINVAL.result();
      }
    }
    long size = count * width;
    if (argsz - VfioIrqSet.BYTES < size) {
      return Errno.EINVAL.result();
    }
    var data = argument.copyIn(VfioIrqSet.BYTES + size, 0).asSlice(VfioIrqSet.BYTES, size);
    return pci.interrupts().set(flags, index, (int) start, (int) count, data);
  }

  private int setIoEvent(UserArgument argument) throws UserFault {
    var event = argument.copyIn(IOEVENTFD_MINIMUM, VfioDeviceIoeventfd.BYTES);
    int flags = VfioDeviceIoeventfd.FLAGS.get(event);
    int fd = VfioDeviceIoeventfd.FD.get(event);
    // A width's bit has the value of the width.
    if (UserArgument.isShort(VfioDeviceIoeventfd.ARGSZ.get(event), IOEVENTFD_MINIMUM)
        || (flags & ~IOEVENTFD_WIDTHS) != 0
        || Integer.bitCount(flags) != 1
        || fd < -1) {
      return Errno.EINVAL.result();
    }
    long offset = VfioDeviceIoeventfd.OFFSET.get(event);
    long index = offset >>> REGION_SHIFT;
    if (index >= VFIO_PCI_ROM_REGION_INDEX) {
      return Errno.EINVAL.result();
    }
    long at = offset & (1L << REGION_SHIFT) - 1;
    return pci.ioEvents().set((int) index, at, flags, VfioDeviceIoeventfd.DATA.get(event), fd);
  }

  private int reset() {
    if (!pci.canReset()) {
      return Errno.EINVAL.result();
    }
    if (device.isGone()) {
      return Errno.ENOTTY.result(); // no way of resetting it has worked
    }
    pci.reset(ResetReason.DEVICE_RESET);
    return 0;
  }

  private HotReset hotReset() {
    return new HotReset(device, user.ownIommufd());
  }

  @Override
  public long pread(MemorySegment target, long offset) {
    return access(target, offset, false);
  }

  @Override
  public long pwrite(MemorySegment source, long offset) {
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
    pci.wake();
    long at = offset & (1L << REGION_SHIFT) - 1;
    if (index == VFIO_PCI_CONFIG_REGION_INDEX) {
      return pci.configAccess(data, at, write);
    }
    var bar = pci.bar((int) index);
    return bar == null ? Errno.EINVAL.result() : pci.barAccess(bar, data, at, write);
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, long offset) {
    long index = offset >>> REGION_SHIFT;
    var bar = index < VFIO_PCI_ROM_REGION_INDEX ? pci.bar((int) index) : null;
    if ((flags & Kernel.MAP_SHARED) == 0 || bar == null || !pci.canMap(bar, process.pageSize())) {
      return Errno.EINVAL.result();
    }
    long at = offset & (1L << REGION_SHIFT) - 1;
    if (at + byteSize > process.memory().roundUp(bar.byteSize())) {
      return Errno.EINVAL.result();
    }
    return process.memory().mapBar(this, bar.index(), at, byteSize, protection);
  }

  @Override
  public long load(int bar, long offset, int width) {
    return isReached(bar, offset, false) ? pci.model().read(bar, offset, width) : NOTHING_THERE;
  }

  @Override
  public void store(int bar, long offset, int width, long value) {
    if (isReached(bar, offset, true)) {
      pci.model().write(bar, offset, width, value);
    }
  }

  /** Whether an access of a mapped BAR gets to the device. */
  private boolean isReached(int index, long offset, boolean write) {
    if (!pci.isMemoryReachable()) {
      throw new InternalError(
          "a fault occurred in an unsafe memory access operation: the device decodes no memory or sleeps (SIGBUS)");
    }
    if (device.isGone() && process.description().architecture() == Architecture.AARCH64) {
      throw new InternalError(
          "a fault occurred in an unsafe memory access operation: nobody answered (SIGBUS)");
    }
    var bar = pci.bar(index);
    return bar != null && offset < bar.byteSize() && !device.isStopped(PCI_COMMAND_MEMORY, write);
  }
}
