// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_MSIX;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MASTER;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_ENTRY_SIZE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_TABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_TABLE_BIR;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_TABLE_OFFSET;
import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.LittleEndian;
import io.jvfio.model.Bar;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.ResetReason;
import io.jvfio.sim.files.EventFile;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A device while it is open: its regions. All its files share it. Source: {@code
 * drivers/vfio/pci/vfio_pci_core.c}, {@code vfio_pci_rdwr.c}.
 */
public final class VfioPci {
  private final HostDevice device;
  private final DeviceModel model;
  private final VirtualConfig config;
  private final PciInterrupts interrupts;
  private final IoEvents ioEvents;
  private final int msixBar;
  private final long msixStart;
  private final long msixEnd;
  private final int openedCommand;
  private final @Nullable VariantDriver variant;

  /** The user has let it sleep: it wakes for each call, and its mappings do not answer. */
  private boolean lowPower;

  private @Nullable EventFile wakeup;

  /** Opens it: reset, awake, memory on, bus mastering off. */
  VfioPci(HostDevice device) {
    this.device = device;
    this.model = requireNonNull(device.model());
    var endpoint = device.endpoint();
    if (endpoint != null) {
      endpoint.thaw();
    }
    var hardware = model.config();
    PciConfig.setPowerState(hardware, 0);
    int command = hardware.read(PCI_COMMAND, 2) & ~PCI_COMMAND_MASTER;
    for (var bar : model.bars()) {
      command |= PciConfig.decoding(bar);
    }
    hardware.set(PCI_COMMAND, 2, command);
    openedCommand = command;
    if (PciConfig.canReset(hardware)) {
      model.reset(ResetReason.DEVICE_RESET);
    }
    interrupts = new PciInterrupts(device, hardware);
    ioEvents = new IoEvents(device.process(), this);
    config = new VirtualConfig(this, device);
    variant = VariantDriver.of(device);
    int msix = PciConfig.capability(hardware, PCI_CAP_ID_MSIX);
    if (msix == 0) {
      msixBar = -1;
      msixStart = 0;
      msixEnd = 0;
    } else {
      int table = hardware.read(msix + PCI_MSIX_TABLE, 4);
      msixBar = table & PCI_MSIX_TABLE_BIR;
      msixStart = table & PCI_MSIX_TABLE_OFFSET;
      msixEnd = msixStart + (long) interrupts.count(PciInterrupts.MSIX) * PCI_MSIX_ENTRY_SIZE;
    }
  }

  /** The last file is gone: configuration as when it was opened, reset, asleep. */
  void close() {
    var hardware = model.config();
    hardware.set(PCI_COMMAND, 2, openedCommand);
    interrupts.close();
    ioEvents.close();
    if (PciConfig.canReset(hardware) && !device.isGone()) {
      model.reset(ResetReason.CLIENT_LOST);
    }
    PciConfig.setPowerState(hardware, PciConfig.POWER_D3HOT);
    if (variant != null) {
      variant.close();
    }
  }

  /** Resets the function, alone or with its bus; configuration space keeps its values. */
  void reset(ResetReason reason) {
    PciConfig.setPowerState(model.config(), 0);
    model.reset(reason);
    interrupts.deviceReset();
    if (variant != null) {
      variant.reset();
    }
  }

  /** The additions of a vendor's driver, or null. */
  @Nullable VariantDriver variant() {
    return variant;
  }

  /** The device has written memory. */
  void wrote(long iova, long byteSize) {
    if (variant != null) {
      variant.log().wrote(iova, byteSize);
    }
  }

  /** Whether a migration keeps the device from doing anything. */
  boolean isHalted() {
    return variant != null && variant.isHalted();
  }

  /**
   * Lets the device sleep until it is needed.
   *
   * @param signal what to tell that it has woken, which ends its sleep then; null to have it sleep
   *     on after each use
   * @return 0, or a negated errno
   */
  int enterLowPower(@Nullable EventFile signal) {
    if (lowPower) {
      return Errno.EINVAL.result();
    }
    lowPower = true;
    wakeup = signal;
    PciConfig.setPowerState(model.config(), 0); // a state that the user had set before is undone
    return 0;
  }

  /** Keeps the device awake from now on: returns 0. */
  int leaveLowPower() {
    lowPower = false;
    wakeup = null;
    return 0;
  }

  /** A system call needs the device awake. A real one falls asleep only some time after a call. */
  void wake() {
    var signal = wakeup;
    if (signal != null) {
      leaveLowPower();
      signal.signal();
    }
  }

  /** Whether a mapped BAR answers. */
  boolean isMemoryReachable() {
    return !lowPower && config.memoryEnabled();
  }

  DeviceModel model() {
    return model;
  }

  VirtualConfig config() {
    return config;
  }

  boolean canReset() {
    return PciConfig.canReset(model.config());
  }

  int msixBar() {
    return msixBar;
  }

  /** Whether an access of a BAR would touch the MSI-X table. */
  boolean isMsixTable(int bar, long offset, int width) {
    return bar == msixBar && offset + width > msixStart && offset < msixEnd;
  }

  PciInterrupts interrupts() {
    return interrupts;
  }

  /** How many signals the kernel would send somewhere, or take. */
  public int signals() {
    return interrupts.inUse() + ioEvents.count();
  }

  IoEvents ioEvents() {
    return ioEvents;
  }

  /** A write that the kernel makes for a signal; it is lost while the memory is off. */
  void writeIfEnabled(Bar bar, long offset, int width, long value) {
    boolean enabled = bar.hasPorts() || config.memoryEnabled();
    if (enabled && !device.isStopped(PciConfig.decoding(bar), true)) {
      model.write(bar.index(), offset, width, value & -1L >>> (Long.SIZE - 8 * width));
    }
  }

  @Nullable Bar bar(int index) {
    for (var bar : model.bars()) {
      if (bar.index() == index) {
        return bar;
      }
    }
    return null;
  }

  /** Whether a BAR can be mapped: whole pages of it, or at least a page of its own. */
  boolean canMap(Bar bar, int pageSize) {
    if (bar.hasPorts()) {
      return false;
    }
    if (bar.byteSize() >= pageSize) {
      return true;
    }
    for (var place : device.description().bars()) {
      if (place.bar() == bar.index()) {
        return place.hostAddress() % pageSize == 0;
      }
    }
    return false;
  }

  /** Reads or writes configuration space in the widest aligned pieces of up to four bytes. */
  long configAccess(MemorySegment data, long offset, boolean write) {
    long size = data.byteSize();
    if (offset >= config.byteSize() || offset + size > config.byteSize()) {
      return Errno.EFAULT.result();
    }
    for (long done = 0; done < size; ) {
      int at = (int) (offset + done);
      int width = widest(at, size - done, 4);
      if (write) {
        config.write(at, width, (int) LittleEndian.load(data, done, width));
      } else {
        LittleEndian.store(data, done, width, config.read(at, width));
      }
      done += width;
    }
    return size;
  }

  /**
   * Reads or writes a BAR in the widest aligned pieces of up to eight bytes, or four where it has
   * ports. The MSI-X table is the kernel's: it reads as ones and cannot be written. Ports are not
   * refused when they are off: nobody answers there.
   */
  long barAccess(Bar bar, MemorySegment data, long offset, boolean write) {
    if (offset >= bar.byteSize()) {
      return Errno.EINVAL.result();
    }
    long size = Math.min(data.byteSize(), bar.byteSize() - offset);
    boolean hasTable = bar.index() == msixBar;
    for (long done = 0; done < size; ) {
      long at = offset + done;
      if (hasTable && at >= msixStart && at < msixEnd) {
        long hidden = Math.min(size - done, msixEnd - at);
        if (!write) {
          data.asSlice(done, hidden).fill((byte) 0xff);
        }
        done += hidden;
        continue;
      }
      if (!bar.hasPorts() && !config.memoryEnabled()) {
        return Errno.EIO.result();
      }
      long left = size - done;
      if (hasTable && at < msixStart) {
        left = Math.min(left, msixStart - at);
      }
      int width = widest(at, left, bar.hasPorts() ? Integer.BYTES : Long.BYTES);
      if (device.isStopped(PciConfig.decoding(bar), write)) {
        if (!write) {
          data.asSlice(done, width).fill((byte) 0xff);
        }
      } else if (write) {
        model.write(bar.index(), at, width, LittleEndian.load(data, done, width));
      } else {
        LittleEndian.store(data, done, width, model.read(bar.index(), at, width));
      }
      done += width;
    }
    return size;
  }

  private static int widest(long offset, long left, int most) {
    int width = most;
    while (width > left || offset % width != 0) {
      width /= 2;
    }
    return width;
  }
}
